package stage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"sluice/internal/netlab"
)

// Reply is what curl made of a request.
type Reply struct {
	// Code is the HTTP status, 0 where none came.
	Code int
	Body string
	// Err is curl's own error, nil where there is none.
	Err error
}

// String gives the reply in one line.
func (r Reply) String() string {
	switch body, _, _ := strings.Cut(strings.TrimSpace(r.Body), "\n"); {
	case r.Code == 0:
		return fmt.Sprintf("no answer: %v", r.Err)
	case r.Err != nil:
		return fmt.Sprintf("HTTP %d %q, then %v", r.Code, body, r.Err)
	default:
		return fmt.Sprintf("HTTP %d %q", r.Code, body)
	}
}

// Curl runs curl in a namespace.
func Curl(ctx context.Context, ns *netlab.Namespace, args ...string) Reply {
	out, err := ns.Run(ctx, "curl", append([]string{"-q", "-sS", "-m", "8", "--noproxy", "*", "-w", "\n%{http_code}"}, args...)...)
	var r Reply
	if i := strings.LastIndexByte(out, '\n'); i >= 0 {
		r.Body = out[:i]
		r.Code, _ = strconv.Atoi(out[i+1:])
	}
	r.Err = err
	return r
}

// Settled gives the requests to a path once there is one and it is over, or
// what there is after a while: of a refused request nothing may arrive.
func Settled(ctx context.Context, o *netlab.Origin, path string) []netlab.Request {
	for range 25 {
		if seen := o.Requests(path); len(seen) > 0 {
			return seen
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Cards makes payment card numbers that nobody has: right in prefix, length and
// check digit, as classification wants them. The same seed gives the same.
func Cards(n int, seed uint64) []string {
	rnd := rand.New(rand.NewPCG(seed, 1))
	out := make([]string, n)
	for i := range out {
		digits := []byte(fmt.Sprintf("4556%011d", rnd.Int64N(1e11)))
		sum := 0
		for j, c := range digits {
			d := int(c - '0')
			if j%2 == 0 {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
		}
		out[i] = string(append(digits, byte('0'+(10-sum%10)%10)))
	}
	return out
}

// CardList makes a table of customers with their cards.
func CardList(cards []string) string {
	var b strings.Builder
	b.WriteString("customer,credit card,expires\n")
	for i, c := range cards {
		fmt.Fprintf(&b, "Customer %d,%s,%02d/29\n", i+1, c, i%12+1)
	}
	return b.String()
}

// Arrived counts the values that are in what a server received.
func Arrived(seen []netlab.Request, values []string) (n int) {
	for _, v := range values {
		for _, r := range seen {
			if strings.Contains(string(r.Body), v) {
				n++
				break
			}
		}
	}
	return n
}

// Datagrams sends n datagrams from Hostile4 to the client,
// then one from an address that is not listed, and counts what arrived of either.
func Datagrams(ctx context.Context, lab *netlab.Lab, n int) (listed, others int, err error) {
	in, err := lab.Client.ListenPacket(netlab.Client4 + ":0")
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	for _, s := range []struct {
		from string
		n    int
	}{{netlab.Hostile4, n}, {netlab.Server4, 1}} {
		out, err := lab.Server.DialContext(ctx, s.from, "udp", in.LocalAddr().String())
		if err != nil {
			return 0, 0, err
		}
		for range s.n {
			if _, err := out.Write([]byte("command and control")); err != nil {
				out.Close()
				return 0, 0, err
			}
		}
		out.Close()
	}
	buf := make([]byte, 100)
	for {
		// The last one sent was from an address that may pass, and they stay in order.
		wait := 2 * time.Second
		if others > 0 {
			wait = 50 * time.Millisecond
		}
		_ = in.SetReadDeadline(time.Now().Add(wait))
		_, from, err := in.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return listed, others, nil
		case err != nil:
			return listed, others, err
		case from.(*net.UDPAddr).IP.String() == netlab.Hostile4:
			listed++
		default:
			others++
		}
	}
}
