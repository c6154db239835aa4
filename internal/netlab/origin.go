package netlab

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is an HTTP request as a server received it.
type Request struct {
	Method, Path, Host, UserAgent string
	// Body is what arrived of the body, up to 8 MiB.
	Body []byte
	// Complete tells that all of the request arrived.
	Complete bool
}

// Origin is a web server that notes what arrives. Its methods are safe for
// concurrent use.
type Origin struct {
	srv *http.Server

	mu   sync.Mutex
	seen []Request
}

// maxBody bounds what an Origin keeps of a body.
const maxBody = 8 << 20

// ServeHTTP answers every request with a page that names it.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, err := io.Copy(&body, io.LimitReader(r.Body, maxBody))
	o.mu.Lock()
	o.seen = append(o.seen, Request{Method: r.Method, Path: r.URL.Path, Host: r.Host, UserAgent: r.UserAgent(), Body: body.Bytes(), Complete: err == nil})
	o.mu.Unlock()
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "hello from the server: %s %s, %d bytes received\n", r.Method, r.URL.Path, body.Len())
}

// Serve starts a web server on listeners of any namespace; they are closed by
// Close.
func Serve(listeners ...net.Listener) *Origin {
	o := &Origin{}
	o.srv = &http.Server{Handler: o, ReadHeaderTimeout: 30 * time.Second}
	for _, l := range listeners {
		go func() { _ = o.srv.Serve(l) }() // ends with Close
	}
	return o
}

// Requests gives the requests to a path that were noted so far. A request is
// noted once it is over: complete or cut off.
func (o *Origin) Requests(path string) []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(func(yield func(Request) bool) {
		for _, r := range o.seen {
			if r.Path == path && !yield(r) {
				return
			}
		}
	})
}

// Close ends the server and its connections.
func (o *Origin) Close() error { return o.srv.Close() }
