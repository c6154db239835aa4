package protocol

// Tx is one transaction: a request and its response, one query, one mail. It
// belongs to the parser that made it; the inspect fields belong to inspection.
type Tx struct {
	// ID counts the flow's transactions from 0 (EVE's tx_id).
	ID uint64
	// Progress is how far each direction has come, in the protocol's states. It
	// only grows.
	Progress [2]uint8
	// Only names the direction that the transaction has where it has but one, as
	// with protocols whose every message is a transaction; 0 for both.
	Only Dirs
	// Carries names another protocol whose messages the transaction's own carries, as
	// requests over HTTPS do DNS, and Carried the directions whose message of that
	// protocol is complete: its buffers are there from then on.
	Carries ID
	Carried Dirs
	// Events are the protocol anomalies seen (app-layer-event keyword), oldest
	// first, without repetition.
	Events []string
	// State is the protocol's own part: a pointer.
	State any
	// Ready is set by a parser where the record may be written before the
	// transaction is complete, as it will not change any more.
	Ready bool
	// Logged is set by the worker once the transaction's record is out, EventsTold
	// to the number of Events that were told.
	Logged     bool
	EventsTold int
	// Quiet is set by the rule engine: no record of the transaction is written.
	Quiet bool
	// Store is set by the rule engine: the files of a direction are to be stored.
	Store [2]bool
	// StoreCerts is set for a rule: the certificates of a handshake are to be kept.
	StoreCerts bool
	// Created is the time of the transaction's first byte.
	Created int64
	// Detect is the rule engine's state of the transaction, by direction.
	Detect [2]DetectState
	// Held counts what the worker still has to tell of the transaction, which stays
	// in the list until then.
	Held int
	// OpenObjects counts the transaction's objects that are open: it is kept
	// alive until they are closed. The ObjectSink counts.
	OpenObjects int
}

// DetectState is what the rule engine keeps in a transaction. The parser
// neither reads nor writes it.
type DetectState struct {
	// Inspected is one more than the progress up to which buffers were scanned.
	Inspected uint8
	// Carried tells that the buffers of the protocol carried were scanned.
	Carried bool
	// EventsSeen counts the Events already inspected.
	EventsSeen uint16
	// State holds partial matches; nil for most transactions.
	State any
}

// NoValue stands for the number of an instance that has none, where the place of the
// others among all instances matters.
const NoValue = ^uint64(0)

// In reports whether the transaction has a direction.
func (tx *Tx) In(dir Dir) bool { return tx.Only == 0 || tx.Only.Has(dir) }

// News reports whether a direction has something that was not inspected yet.
func (tx *Tx) News(d Dir) bool {
	s := &tx.Detect[d]
	return tx.Progress[d] >= s.Inspected || int(s.EventsSeen) < len(tx.Events) || tx.Carried.Has(d) && !s.Carried
}

// AddEvent notes an anomaly once. Names are Suricata's, without the protocol's
// prefix ("INVALID_REQUEST_LINE" is "invalid_request_line").
func (tx *Tx) AddEvent(name string) {
	for _, e := range tx.Events {
		if e == name {
			return
		}
	}
	if len(tx.Events) < 32 {
		tx.Events = append(tx.Events, name)
	}
}

// TxList is a flow's live transactions in the order of their ids.
type TxList struct {
	Live []*Tx
	Next uint64
}

// Add appends a new transaction with the next id.
func (l *TxList) Add(state any, now int64) *Tx {
	tx := &Tx{ID: l.Next, State: state, Created: now}
	l.Next++
	l.Live = append(l.Live, tx)
	return tx
}

// Last gives the newest live transaction or nil.
func (l *TxList) Last() *Tx {
	if len(l.Live) == 0 {
		return nil
	}
	return l.Live[len(l.Live)-1]
}

// Prune drops the transactions for which done reports true, whose objects are
// closed and that are not held, keeping the order.
func (l *TxList) Prune(done func(*Tx) bool) {
	keep := l.Live[:0]
	for _, tx := range l.Live {
		if tx.OpenObjects > 0 || tx.Held > 0 || !done(tx) {
			keep = append(keep, tx)
		}
	}
	clear(l.Live[len(keep):])
	l.Live = keep
}

// ObjectKind says what an object is.
type ObjectKind uint8

// The kinds of objects.
const (
	// KindBody is a whole message body (HTTP request or response).
	KindBody ObjectKind = iota
	// KindPart is one part of a multipart form with a file name.
	KindPart
	// KindField is a part of a form without a file name, or form fields.
	KindField
	// KindAttachment is a MIME part of a mail with a file name.
	KindAttachment
	// KindText is a MIME part of a mail without one, and the mail's header.
	KindText
	// KindFile is a transferred file (FTP, SMB, TFTP …).
	KindFile
	// KindStream is the bytes of a connection that no protocol claimed.
	KindStream
)

// ObjectState says how an object ended.
type ObjectState uint8

// The states of an object, with EVE's fileinfo.state in mind.
const (
	ObjectOpen ObjectState = iota
	ObjectClosed
	ObjectTruncated
	ObjectError
)

// String gives EVE's fileinfo.state.
func (s ObjectState) String() string {
	switch s {
	case ObjectClosed:
		return "CLOSED"
	case ObjectTruncated:
		return "TRUNCATED"
	case ObjectError:
		return "ERROR"
	}
	return "UNKNOWN"
}

// Object is a run of content found in a transaction, after transfer decoding
// (chunks, gzip, base64 …). The parser makes it and fills the first part; the
// sink owns the rest from OpenObject to CloseObject.
type Object struct {
	Kind ObjectKind
	Dir  Dir
	Tx   *Tx
	// Name is the file name as sent, without interpretation; may be empty.
	Name string
	// ContentType is the declared media type; may be empty or a lie.
	ContentType string
	// Encoding lists undecoded transfer or content encodings; empty when Data
	// is the plain content.
	Encoding string
	// Start is the offset of the first byte within the whole object (HTTP
	// Content-Range); Total its declared size or 0.
	Start, Total uint64
	// Unscannable is the reason why content cannot be read ("ratio",
	// "encoding", "too-deep", "too-large"); empty when it can. Set before CloseObject.
	Unscannable string
	// File tells that the object is reported as a file (EVE fileinfo).
	File bool
	// Container tells that the content is given again as further objects (a
	// mail's parts, a form's fields): it is reported and hashed but not
	// classified itself. Set before OpenObject.
	Container bool

	// UntilEnd tells that the object has no declared length and no mark at its
	// end: it ends with its direction of the connection. Exact tells the opposite:
	// its declared length says which byte is the last, so that it is over with that.
	// Set before OpenObject.
	UntilEnd, Exact bool

	// RuleLimit bounds the bytes that rules see; 0 is no bound. It bounds neither
	// classification nor what is reported of the file. Set before OpenObject.
	RuleLimit uint64

	// Store is set by the rule engine: the file is to be stored, since the rules
	// with the ids in StoreSIDs (a bounded number) ask for it.
	Store     bool
	StoreSIDs []uint32
	// Described is set by the rule engine: rules have been told of Magic.
	Described bool

	// Magic describes the content's type by its first bytes, where that was asked
	// for, filled in by the sink; empty otherwise.
	Magic string

	// Hashes are the sums of the content where they were asked for, filled in by
	// the sink before the object's inspection ends; nil otherwise.
	Hashes [NumHashes][]byte
	// Size counts the bytes given to ObjectData so far.
	Size uint64
	// Gaps tells that bytes were missing.
	Gaps  bool
	State ObjectState
	// Sink is the sink's own state.
	Sink any
}

// HashKind names a hash of an object's content.
type HashKind uint8

// The hashes.
const (
	MD5 HashKind = iota
	SHA1
	SHA256
	NumHashes = iota
)

// Size gives a hash's length in bytes.
func (k HashKind) Size() int { return [NumHashes]int{16, 20, 32}[k] }

// ObjectSink takes objects as parsers find them. It is called on the worker.
type ObjectSink interface {
	// OpenObject begins an object. The parser keeps o until CloseObject.
	OpenObject(o *Object)
	// ObjectData gives the object's next bytes, borrowed for the call.
	ObjectData(o *Object, data []byte)
	// ObjectGap tells of n missing bytes.
	ObjectGap(o *Object, n uint64)
	// CloseObject ends it. o is not used by the sink afterwards.
	CloseObject(o *Object, state ObjectState)
}
