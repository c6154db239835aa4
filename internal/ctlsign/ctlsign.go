// Package ctlsign signs the requests that reach a daemon over a broker, and its
// answers, with a secret that both ends have: whoever else may publish there can
// neither make a request, nor change one, nor send one again. It takes and gives
// texts; it knows nothing of brokers or of what is asked.
package ctlsign

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// The headers of a request and of its answer.
const (
	HeaderTime      = "Sluice-Time"
	HeaderNonce     = "Sluice-Nonce"
	HeaderSignature = "Sluice-Signature"
	HeaderStatus    = "Sluice-Status"
)

const (
	// MinKey is the least length of a key, in bytes.
	MinKey = 32
	// Window is how far a request's time may be from the daemon's.
	Window = time.Minute
	// maxNonces bounds the requests that are remembered, those of two windows.
	maxNonces = 10_000
	nonceLen  = 32
)

// Key is the secret. It does not print.
type Key struct{ secret []byte }

// String keeps the secret out of logs.
func (Key) String() string { return "(key)" }

// GoString is String.
func (Key) GoString() string { return "(key)" }

// ReadKey reads the secret from a file that only its owner and group may read.
func ReadKey(path string) (Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("read control key: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return Key{}, fmt.Errorf("control key %s: others may read it; chmod o= %s", path, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("read control key: %w", err)
	}
	secret := []byte(strings.TrimSpace(string(b)))
	if len(secret) < MinKey {
		return Key{}, fmt.Errorf("control key %s: %d characters, and %d are the least; make one with openssl rand -hex 32", path, len(secret), MinKey)
	}
	return Key{secret}, nil
}

// Request is what is signed of a request.
type Request struct {
	Subject, Time, Nonce string
	Body                 []byte
}

// NewRequest gives a request of now.
func NewRequest(subject string, body []byte, now time.Time) Request {
	var nonce [nonceLen / 2]byte
	rand.Read(nonce[:])
	return Request{Subject: subject, Time: strconv.FormatInt(now.Unix(), 10), Nonce: hex.EncodeToString(nonce[:]), Body: body}
}

// Sign gives the request's signature.
func (k Key) Sign(r *Request) string {
	return k.sum("request", r.Subject, r.Time, r.Nonce, string(r.Body))
}

// SignAnswer gives the signature of the answer to the request with a nonce.
func (k Key) SignAnswer(nonce, status string, body []byte) string {
	return k.sum("answer", nonce, status, string(body))
}

// CheckAnswer reports whether an answer's signature is right.
func (k Key) CheckAnswer(nonce, status string, body []byte, signature string) bool {
	return hmac.Equal([]byte(k.SignAnswer(nonce, status, body)), []byte(signature))
}

// sum is HMAC-SHA256 (RFC 2104) over the parts with their lengths.
func (k Key) sum(parts ...string) string {
	m := hmac.New(sha256.New, k.secret)
	for _, p := range parts {
		fmt.Fprintf(m, "%d:%s\n", len(p), p)
	}
	return hex.EncodeToString(m.Sum(nil))
}

// Why a request is not answered.
var (
	ErrSignature = errors.New("the signature is wrong")
	ErrTime      = errors.New("its time is too far from ours")
	ErrReplayed  = errors.New("it has been sent before")
	ErrTooMany   = errors.New("there are too many requests")
)

// Checker checks requests. It belongs to one goroutine.
type Checker struct {
	Key Key
	// Since is when the daemon began: what was signed before might have been
	// answered by the one before it.
	Since time.Time
	seen  map[string]time.Time
}

// Check reports why a request is not to be answered. Only what is rightly signed
// is remembered, so that nobody without the key takes room.
func (c *Checker) Check(r *Request, signature string, now time.Time) error {
	if len(r.Nonce) != nonceLen || len(r.Time) > 20 || !hmac.Equal([]byte(c.Key.Sign(r)), []byte(signature)) {
		return ErrSignature
	}
	unix, err := strconv.ParseInt(r.Time, 10, 64)
	if err != nil {
		return ErrTime
	}
	at := time.Unix(unix, 0)
	if d := now.Sub(at); d > Window || d < -Window || at.Before(c.Since.Truncate(time.Second)) {
		return ErrTime
	}
	if _, again := c.seen[r.Nonce]; again {
		return ErrReplayed
	}
	if len(c.seen) >= maxNonces {
		for n, t := range c.seen {
			if now.Sub(t) > Window {
				delete(c.seen, n)
			}
		}
		if len(c.seen) >= maxNonces {
			return ErrTooMany
		}
	}
	if c.seen == nil {
		c.seen = map[string]time.Time{}
	}
	c.seen[r.Nonce] = at
	return nil
}
