package config

// unused are settings that are read and checked, and that nothing follows yet,
// as type and field. Whoever sets one is told (Config.NoEffect): a setting that is
// silently ignored is worse than one refused. A test compares the table with the
// program.
var unused = [...]string{
	"HTTPConfig.LZMAEnabled", "MIME.BodyMD5", "Protocol.RawExtraction",
	"Protocol.MaxPayloadSize", "EVE.Filetype", "NATS.Control",
}
