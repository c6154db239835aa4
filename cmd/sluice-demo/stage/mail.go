package stage

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// PrivateKey makes a private key that opens nothing.
func PrivateKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// MailServer takes mail and keeps it. Its methods are safe for concurrent use.
type MailServer struct {
	l     net.Listener
	mu    sync.Mutex
	mails []string
}

// ServeMail starts a mail server on a listener.
func ServeMail(l net.Listener) *MailServer {
	m := &MailServer{l: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go m.session(c)
		}
	}()
	return m
}

func (m *MailServer) session(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	say := func(line string) { _, _ = fmt.Fprint(c, line+"\r\n") }
	say("220 mail.example.net ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch verb {
		case "QUIT":
			say("221 bye")
			return
		case "DATA":
			say("354 go ahead")
			var mail strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return // cut off: nothing is taken
				}
				if line == ".\r\n" {
					break
				}
				mail.WriteString(line)
			}
			m.mu.Lock()
			m.mails = append(m.mails, mail.String())
			m.mu.Unlock()
			say("250 taken")
		default:
			say("250 ok")
		}
	}
}

// Taken is the mails that arrived whole.
func (m *MailServer) Taken() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.mails...)
}

// Close ends the server.
func (m *MailServer) Close() { _ = m.l.Close() }

// SendMail speaks SMTP as a client and gives the server's last answer to DATA.
func SendMail(c net.Conn, subject, body string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	var last string
	expect := func(code string) error {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("after %q: %w", last, err)
		}
		last = strings.TrimSpace(line)
		if !strings.HasPrefix(last, code) {
			return fmt.Errorf("the server said %q", last)
		}
		return nil
	}
	if err := expect("220"); err != nil {
		return last, err
	}
	for _, step := range []struct{ send, code string }{
		{"HELO client.example.org", "250"}, {"MAIL FROM:<alice@example.org>", "250"}, {"RCPT TO:<bob@example.net>", "250"}, {"DATA", "354"},
	} {
		if _, err := fmt.Fprint(c, step.send+"\r\n"); err != nil {
			return last, err
		}
		if err := expect(step.code); err != nil {
			return last, err
		}
	}
	mail := "From: alice@example.org\r\nTo: bob@example.net\r\nSubject: " + subject + "\r\n\r\n" + strings.ReplaceAll(body, "\n", "\r\n") + "\r\n.\r\n"
	if _, err := fmt.Fprint(c, mail); err != nil {
		return last, err
	}
	_ = expect("") // whatever it says is the answer
	return last, nil
}
