// Package worker runs the data plane: it takes batches of frames, carries each
// through decoding, flow, stream, protocol, inspection and policy to a verdict
// in one go, and gives the verdicts and the events. It joins the rooms and has
// no logic of theirs. A Worker belongs to one goroutine; workers share nothing
// that changes.
package worker

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"sluice/classifiers/document"
	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/enforce"
	"sluice/dataplane/flow"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/protocol"
	"sluice/dataplane/protocol/expect"
	"sluice/dataplane/stream"
	"sluice/events"
	"sluice/signatures"
)

// Config is what a worker is built with. Everything in it that is a pointer is
// shared and immutable.
type Config struct {
	// Set holds the compiled rules and classifiers.
	Set *inspect.Set
	// Policy decides about what classification finds; nil switches it off.
	Policy *policy.Policy
	// Registry holds the protocols; Limits bound their parsers.
	Registry *protocol.Registry
	Limits   *protocol.Limits
	// Expect holds the connections that others have announced (FTP's data); one
	// table serves all workers. Nil expects none.
	Expect *expect.Table
	Decode decode.Config
	Flow   flow.Config
	Stream stream.Config

	// Documents reads what a scan of its bytes does not reach; nil scans bytes only.
	Documents *document.Reader
	// HeldTime bounds how long frames are withheld for the verdict on a document;
	// HeldBytes what is kept of a flow beside the frames that complete it.
	HeldTime  time.Duration
	HeldBytes int
	// Evidence takes an object that a policy wants kept and gives a name for its
	// event; nil keeps none. Data is the callee's.
	Evidence func(Evidence) string
	// Files keeps the files that rules ask for.
	Files Files

	// Inline tells that traffic is judged before it is forwarded; otherwise
	// data is inspected once acknowledged and actions are only reported.
	Inline bool
	// Monitor judges and reports but withholds nothing.
	Monitor bool
	// PassInvalid forwards segments that are not part of their connection; other
	// bytes than were inspected are withheld all the same.
	PassInvalid bool
	// Live tells that verdicts are carried out on real traffic; without it
	// (replay) they are computed and reported as not enforced.
	Live bool
	// Ifaces names the capture ports by Frame.Port; empty in replay.
	Ifaces []string
	// PcapFile is the capture file's name for events; empty when live.
	PcapFile string
	// Judged, when set, is told of what the policy was asked and answered, on the
	// worker's goroutine; for tools. The input's slices are borrowed.
	Judged func(Judged)
	// Quarantine holds the hosts whose egress is withheld, of all workers; nil
	// where there is none.
	Quarantine *enforce.Quarantine
	// Isolate puts a host in quarantine because a rule of the policy says so. It
	// may be called by any worker and must not wait. link is its link-layer
	// address, or its router's; zero where it is not known. Nil does nothing.
	Isolate func(host netip.Addr, link [6]byte, rule string)
	// DropFlow has the kernel drop a flow beside the wire. It may be called by any
	// worker and must not wait. Nil does nothing.
	DropFlow func(key flow.Key)
	// Drops drops blocked flows below the worker, in the path; nil does not.
	Drops FlowDrops
	// Exceptions say what happens when limits are reached.
	Exceptions Exceptions
	// Report says what is told and how.
	Report Report
}

// Report selects events and their optional parts.
type Report struct {
	// Wants says whether events of a type are written; nil means all are.
	Wants func(eventType string) bool
	// DecodeAnomalies, StreamAnomalies and AppAnomalies choose what anomaly
	// events tell of.
	DecodeAnomalies, StreamAnomalies, AppAnomalies bool
	// Payload, PayloadPrintable and Packet add the bytes of a match to alerts.
	Payload, PayloadPrintable, Packet bool
	// PayloadLimit bounds them; 0 means 4 KiB.
	PayloadLimit int
	// AllDrops tells of every packet withheld rather than of the first of each
	// direction of a flow.
	AllDrops bool
	// Hashes are the kinds of hashes that files are told with, as bits by
	// protocol.HashKind; SHA-256 always is.
	Hashes uint8
	// XFF says how the client's address is read from a proxy's header.
	XFF XFF
	// GuessTx puts the only live transaction into alerts that have none.
	GuessTx bool
	// DNSVersion is the form of dns events: 2, or 3 for anything else.
	DNSVersion int
	// Ethernet adds link-layer addresses.
	Ethernet bool
	// Frames reports each frame of a protocol.
	Frames bool
	// ARP tells of ARP messages.
	ARP bool
	// References adds the addresses that a rule refers to.
	References bool
}

// XFF says what becomes of the client's address in X-Forwarded-For.
type XFF struct {
	// Enabled writes it as alert.xff or, with Overwrite, in place of the address
	// that the packets have.
	Enabled, Overwrite bool
	// Forward takes the first address of the header, the client's own word;
	// otherwise the last, which the nearest proxy wrote.
	Forward bool
}

// wants reports whether events of the type are written.
func (r *Report) wants(typ string) bool { return r.Wants == nil || r.Wants(typ) }

// Worker is one run-to-completion pipeline.
type Worker struct {
	cfg     Config
	decoder *decode.Decoder
	flows   *flow.Table
	tcp     *stream.Engine
	env     protocol.Env
	// units are the frames that parsers announce with the bytes in work.
	units protocol.FrameSink
	in    *inspect.Inspector
	// old holds Inspectors that a reload replaced and that still have open
	// objects or streams.
	old []*inspect.Inspector

	// The packet in work: p is never nil while anything is inspected.
	p   *decode.Packet
	f   *flow.Flow
	dir protocol.Dir
	num uint64
	// pkts are all packets of the frame in work.
	pkts   []decode.Packet
	now    int64
	pseudo decode.Packet
	// drop is set when the packet in work is to be withheld.
	drop bool
	// why, passed and rejected tell what was decided of it, dropAlert which alert
	// withheld it, pendingAlerts its alerts, which still want its verdict.
	why              dropReason
	passed, rejected bool
	dropAlert        *events.Alert
	pendingAlerts    []*events.Event
	// files are the records that wait for the end of the packet in work, while one is.
	files    []toldFile
	inPacket bool
	// keptParser is the parser of the match in work, where that has waited.
	keptParser protocol.Parser
	// excepted: an exception policy keeps signatures off the packet. limited:
	// the frame's fragment was given up.
	excepted, limited bool
	// sums are the hashes of open objects.
	sums map[*protocol.Object]*sums
	// storing are the files that are stored, or may yet be; piece is room for what
	// was kept of one.
	storing map[*protocol.Object]*storing
	piece   []byte
	// newTags are the packet's matches with tags, which begin with the next.
	newTags []signatures.Match
	// hostTags are the tags of hosts, for all their packets.
	hostTags map[decode.Addr][]tag
	// suppressed, overflow, shortened, setsFull, limitsFull and bitsFull are the
	// Matcher's counters at the last look.
	suppressed, overflow, shortened, setsFull, limitsFull, bitsFull uint64
	// touched lists objects that got bytes from the packet in work.
	touched []*inspect.Object
	closing bool
	// spent are the flows that verdicts have ended and that hold memory yet.
	spent []spentFlow
	// nobodys is what bytes of an unknown protocol are asked about as.
	nobodys protocol.Object
	// rawDatagrams and rawStreams bound what is kept of flows of no known protocol.
	rawDatagrams, rawStreams rawQueue
	// missed is the last time up to which frames went by unseen; none when 0.
	missed int64

	out        []*events.Event
	texts      []byte // scratch of maskTexts
	seq        uint32
	nextExpiry int64

	// laterDocs are the documents read while the worker goes on since the last Output,
	// unsettled all that are not settled yet, with their bytes.
	readsLater           bool
	laterDocs, unsettled []*laterDocument
	unsettledBytes       uint64

	// documents are those being read; answers takes those that are done, from
	// goroutines of the Reader, which call wake.
	documents []*pendingDocument
	answers   chan *pendingDocument
	wake      atomic.Pointer[func()]
	spools    []*document.Spool
	// tails: the newest bytes of streams are kept for alerts that show them.
	tails bool
	// trails counts the open documents without a declared end.
	trails int
	// holds are all that is withheld, sent the frames let on since the last batch,
	// freed memory for frames. batch counts batches; sentIn is the last one in
	// which something was let on.
	holds         []*hold
	sent          []*heldFrame
	freed         [len(frameSizes)][]*heldFrame
	batch, sentIn uint64
	// keep is where the frame in work is withheld, later that it is not judged
	// yet; parked tells that it is neither forwarded nor dropped. again tells that
	// it was withheld before.
	keep                 *hold
	later, parked, again bool

	// asked are the matches that replace bytes of the frame in work, wanted these
	// bytes, patches what is put into it; rewriting counts the rewrites kept of all flows. copies is
	// where frames that were rewritten are until the next batch.
	asked     []askedRewrite
	wanted    []signatures.Rewrite
	patches   []patch
	rewriting int
	copies    []byte

	crafter    enforce.Crafter
	frames     [][]byte
	injections []enforce.Injection

	// back keeps a flow's data from passing a tap's ports; nil where nothing can.
	back func(flow.Key) error
	// dead are the blocked flows that are dropped below the worker.
	dead deadFlows
	// offload is what the kernel does for this worker; nil where it does nothing.
	offload *offload
	// overload is what the worker does when it cannot keep up; nil for nothing.
	overload *overload
	// talkers is what is counted for those who watch.
	talkers talkers

	counters Counters
}

// New makes a worker.
func New(cfg Config) (*Worker, error) {
	if cfg.Limits == nil {
		cfg.Limits = protocol.DefaultLimits()
	}
	if cfg.HeldTime <= 0 {
		cfg.HeldTime = 10 * time.Second
	}
	w := &Worker{cfg: cfg, rawDatagrams: rawQueue{max: maxRaw}, rawStreams: rawQueue{max: maxRaw}}
	if cfg.Documents != nil {
		w.answers = make(chan *pendingDocument, maxDocuments)
	}
	r := &cfg.Report
	w.tails = (r.Payload || r.PayloadPrintable) && (r.wants("alert") || r.wants("drop"))
	in, err := inspect.NewInspector(cfg.Set)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	w.in = in
	w.decoder = decode.New(cfg.Decode)
	cfg.Flow.Evict = w.flowEnd
	w.flows = flow.NewTable(cfg.Flow)
	w.tcp = stream.NewEngine(cfg.Stream)
	w.env = protocol.Env{Objects: (*objectSink)(w), Limits: cfg.Limits, Inline: cfg.Inline, BodyMD5: hashesBodies(cfg.Set)}
	w.wantFrames()
	return w, nil
}

// Process carries a batch through the pipeline. forward[i] is set to whether
// frame i may go on; it must be as long as the batch.
func (w *Worker) Process(b *capture.Batch, forward []bool) {
	w.crafter.Recycle()
	w.recycle()
	w.batch++
	for i := range b.Frames {
		forward[i] = w.frame(&b.Frames[i])
		if len(w.spent) > 0 {
			w.relinquish()
		}
	}
}

// expiryEvery is how often idle flows are looked for, in nanoseconds of packet
// time.
const expiryEvery = 100e6

func (w *Worker) frame(f *capture.Frame) bool {
	w.counters.Frames++
	w.counters.Bytes += uint64(f.WireLen)
	forward := w.judgeFrame(f)
	if !forward && !w.parked {
		w.countDropped(f)
	}
	return forward
}

// countDropped counts a frame that goes nowhere.
func (w *Worker) countDropped(f *capture.Frame) {
	w.counters.DroppedFrames++
	w.counters.DroppedBytes += uint64(f.WireLen)
}

// judgeFrame carries a frame through the pipeline and reports whether it may go
// on at once.
func (w *Worker) judgeFrame(f *capture.Frame) bool {
	w.f, w.keep, w.later, w.parked = nil, nil, false, false
	w.now, w.num, w.env.Now = f.Time, f.Num, f.Time
	w.seq = 0
	if w.now >= w.nextExpiry {
		w.nextExpiry = w.now + expiryEvery
		w.flows.Expire(w.now, w.flowEnd)
	}
	forward := true
	pkts := w.decoder.Decode(f)
	w.limited = w.decoder.DefragLimited()
	w.pkts = pkts
	for i := range pkts {
		if !w.packet(&pkts[i]) {
			forward = false
		}
	}
	if len(w.asked)+len(w.patches) > 0 {
		w.rewriteFrame(f, forward)
	}
	return w.park(f, forward)
}

// Tick tells the worker the time while no traffic comes.
func (w *Worker) Tick(now int64) {
	if now > w.now {
		w.now, w.env.Now = now, now
	}
	if w.now >= w.nextExpiry {
		w.nextExpiry = w.now + expiryEvery
		w.refreshOffload()
		w.refreshDead()
		w.flows.Expire(w.now, w.flowEnd)
	}
	w.recycle()
	w.tickTalkers(now)
	if len(w.documents) > 0 {
		w.tickDocuments()
	}
	if len(w.holds) > 0 {
		w.tickHolds()
	}
	if len(w.spent) > 0 {
		w.relinquish()
	}
	w.retire()
}

// Flush ends all flows, in the order of their start: the end of a capture file
// or of the program. Documents that are being read are waited for, so that their
// events come too.
func (w *Worker) Flush() { w.FlushAt(0) }

// FlushAt is Flush at the time of the last frame of all workers, so that what is
// told of a flow's end does not depend on which other flows its worker had.
func (w *Worker) FlushAt(now int64) {
	w.flows.FlushAt(now, w.flowEnd)
	w.drain()
	w.nextExpiry = 0
}

// SetFile names the capture file in the events that follow. noChecksum accepts
// its checksums unseen.
func (w *Worker) SetFile(name string, noChecksum bool) {
	w.cfg.PcapFile = name
	w.decoder.SetNoChecksum(noChecksum || w.cfg.Decode.NoChecksum)
}

// Close gives back what the worker holds outside of Go's heap. Its flows must
// have been flushed.
func (w *Worker) Close() {
	w.retire()
	for _, in := range append(w.old, w.in) {
		if in.Idle() {
			in.Close()
		}
	}
}

// Swap makes the worker use another set and policy from the next packet on.
// Open objects and streams finish on what they began with.
func (w *Worker) Swap(set *inspect.Set, pol *policy.Policy) error {
	in, err := inspect.NewInspector(set)
	if err != nil {
		return err
	}
	w.old = append(w.old, w.in)
	w.suppressed, w.overflow, w.shortened, w.setsFull, w.limitsFull, w.bitsFull = 0, 0, 0, 0, 0, 0
	w.in, w.cfg.Set, w.cfg.Policy = in, set, pol
	w.wantFrames()
	w.env.BodyMD5 = hashesBodies(set)
	w.retire()
	return nil
}

// retire closes replaced Inspectors that nothing uses any more.
func (w *Worker) retire() {
	keep := w.old[:0]
	for _, in := range w.old {
		if in.Idle() {
			in.Close()
			w.counters.Magic.Add(in.Counters.Magic)
			continue
		}
		keep = append(keep, in)
	}
	w.old = keep
}

// Retiring reports whether a set that was swapped out is still in use.
func (w *Worker) Retiring() bool { w.retire(); return len(w.old) > 0 || w.reading() }

// Events gives the events since the last call, oldest first; they are the
// caller's.
func (w *Worker) Events() []*events.Event {
	out := w.out
	w.out = nil
	return out
}

// Injections gives the frames to send since the last call; valid until the
// next Process.
func (w *Worker) Injections() []enforce.Injection {
	inj := w.injections
	w.injections = w.injections[:0]
	return inj
}
