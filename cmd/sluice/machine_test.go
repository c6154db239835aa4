package main

import (
	"encoding/binary"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeModbus makes a request of Modbus:
//
//	modbus OUT write TEXTFILE    the file's bytes go into the registers from 50 on
//	modbus OUT read
func writeModbus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: modbus OUT write FILE | modbus OUT read")
	}
	pdu := []byte{3, 0, 49, 0, 8}
	if args[1] == "write" {
		text := ts.ReadFile(args[2])
		if len(text)%2 == 1 {
			text += " "
		}
		pdu = append([]byte{16, 0, 49, 0, byte(len(text) / 2), byte(len(text))}, text...)
	}
	b := binary.BigEndian.AppendUint16([]byte{0, 1, 0, 0}, uint16(1+len(pdu)))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(append(b, 1), pdu...), 0o600))
}
