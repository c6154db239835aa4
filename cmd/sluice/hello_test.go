package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice/dataplane/protocol/quic"
	"sluice/dataplane/protocol/quic/quictest"
)

// writeHello writes the bytes with which a TLS client begins to talk to a server:
//
//	hello FILE NAME [quic]
func writeHello(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 3 && args[2] == "quic" && !neg {
		m, err := quictest.ClientHello(args[1])
		ts.Check(err)
		first := quictest.Packet{Version: quic.Version1, Salt: quictest.Salt1, ID: "12345678"}.Seal(quictest.Crypto(m, 0, len(m)))
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(first), 0o600))
		return
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hello FILE NAME [quic]")
	}
	client, server := net.Pipe()
	go func() {
		c := tls.Client(client, &tls.Config{ServerName: args[1]})
		_ = c.Handshake() // nobody answers
		client.Close()
	}()
	ts.Check(server.SetDeadline(time.Now().Add(5 * time.Second)))
	head := make([]byte, 5)
	_, err := io.ReadFull(server, head)
	ts.Check(err)
	body := make([]byte, int(head[3])<<8|int(head[4]))
	_, err = io.ReadFull(server, body)
	ts.Check(err)
	server.Close()
	if head[0] != 22 {
		ts.Check(errors.New("no handshake record"))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(head, body...), 0o600))
}
