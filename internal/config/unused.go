package config

// unused are settings that are read and checked, and that nothing follows yet,
// as type and field. Whoever sets one is told (Config.NoEffect): a setting that is
// silently ignored is worse than one refused. A test compares the table with the
// program.
var unused = [...]string{
	"Stream.MaxSynQueued",
	"Reassembly.ToServerChunkSize", "Reassembly.ToClientChunkSize", "Reassembly.MaxRegions",
	"HTTPConfig.LZMAEnabled", "MIME.BodyMD5", "Protocol.RawExtraction",
	"Protocol.MaxMsgLength", "Protocol.MaxPayloadSize", "EVE.Filetype", "NATS.Control", "Stats.DecoderEvents", "Stats.StreamEvents", "Stats.DecoderEventsPrefix",
}
