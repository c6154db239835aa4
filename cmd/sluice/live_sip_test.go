package main

import (
	"os"
	"path/filepath"
	"strings"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// sipTakes is what a telephone answers that takes messages.
const sipTakes = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="takes messages">
<recv request="MESSAGE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=1
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
`

// sipSays sends a message.
const sipSays = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="says something">
<send retrans="500"><![CDATA[
MESSAGE sip:bob@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: Ann <sip:ann@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:bob@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 MESSAGE
Max-Forwards: 70
Content-Type: text/plain
Content-Length: [len]

TEXT
]]></send>
<recv response="200"/>
</scenario>
`

// livePhone makes a call and sends messages with a real agent of SIP, by datagrams and
// by TCP: what is ordinary goes through, cards do not.
func livePhone(r *rig) {
	r.need("sip-tester", "sipp")
	// Datagrams that are withheld are not answered: then the client waits in vain.
	const long, short = "20", "2"
	sipp := func(from *netlab.Namespace, own, timeout string, args ...string) (string, error) {
		return from.Run(r.ctx, "sipp", append([]string{"-i", own, "-p", "6060", "-nostdin", "-m", "1", "-timeout", timeout, "-timeout_error", "-default_behaviors", "none"}, args...)...)
	}
	r.serve(r.lab.Server, "sipp", "-sn", "uas", "-i", netlab.Server4, "-p", "5060", "-nostdin")
	// None of these ports is one where telephones usually listen.
	ports := map[string]string{"u1": "7070", "t1": "7071"}
	takes := r.write("takes.xml", sipTakes)
	heard := func(transport string) string {
		b, _ := os.ReadFile(filepath.Join(r.dir, transport+".log"))
		return string(b)
	}
	for transport, port := range ports {
		r.serve(r.lab.Server, "sipp", "-sf", takes, "-i", netlab.Server4, "-p", port, "-t", transport, "-nostdin", "-trace_msg", "-message_file", filepath.Join(r.dir, transport+".log"))
	}
	say := func(from *netlab.Namespace, own, timeout, transport, text string) (string, error) {
		return sipp(from, own, timeout, "-sf", r.write("says.xml", strings.Replace(sipSays, "TEXT", text, 1)), "-t", transport, netlab.Server4+":"+ports[transport])
	}
	for transport := range ports {
		r.until("sipp by "+transport, func() (string, bool) {
			out, err := say(r.lab.Server, netlab.Server4, long, transport, "begin")
			return out, err == nil
		})
	}
	r.startTold()
	mark := r.soc.Mark()
	if out, err := sipp(r.lab.Client, netlab.Client4, long, "-sn", "uac", netlab.Server4+":5060"); err != nil {
		r.Errorf("a call: %v\n%s", err, out)
	}
	type record struct {
		Method string
		URI    string
		Code   string
		SDP    struct {
			Media []struct{ Media string } `json:"media_descriptions"`
		}
	}
	awaitPart(r, mark, "sip", "the call", func(s *record) bool {
		return s.Method == "INVITE" && s.URI == "sip:service@"+netlab.Server4+":5060" && len(s.SDP.Media) == 1 && strings.HasPrefix(s.SDP.Media[0].Media, "audio ")
	})
	awaitPart(r, mark, "sip", "the answer", func(s *record) bool { return s.Code == "200" && len(s.SDP.Media) == 1 })
	for _, method := range []string{"ACK", "BYE"} {
		awaitPart(r, mark, "sip", method, func(s *record) bool { return s.Method == method })
	}
	cards := stage.Cards(8, 9)
	for _, transport := range []string{"u1", "t1"} {
		if out, err := say(r.lab.Client, netlab.Client4, long, transport, "At noon, by "+transport+"?"); err != nil || !strings.Contains(heard(transport), "At noon, by "+transport) {
			r.Errorf("%s: a harmless message: %v\n%s", transport, err, out)
		}
		mark := r.soc.Mark()
		if out, err := say(r.lab.Client, netlab.Client4, short, transport, stage.CardList(cards)); err == nil {
			r.Errorf("%s: the cards were taken\n%s", transport, out)
		}
		r.awaitBlock(mark, "block-cards", "sip")
		if n := count(heard(transport), cards); n > 0 {
			r.Errorf("%s: %d cards arrived", transport, n)
		}
	}
	r.nowhere(cards...)
}
