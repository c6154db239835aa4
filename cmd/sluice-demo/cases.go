package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

const (
	server = "http://" + netlab.Server4
	onion  = "exampleexampleexample.onion"
)

var cases = []one{
	{"An ordinary page goes through", page},
	{"A list of payment cards is refused", cards},
	{"A file marked CONFIDENTIAL is cut off", marked},
	{"A request that a signature knows raises an alert", signature},
	{"Traffic from a block-listed address is dropped in XDP", blocked},
	{"A private key in a mail is refused", mail},
	{"TLS and DNS are seen", names},
	{"kill -9: traffic goes on, the block list holds, and a restart takes over", killed},
	{"SIGTERM leaves nothing behind", stopped},
}

func page(ctx context.Context, d *demo) error {
	mark := d.soc.Mark()
	r := stage.Curl(ctx, d.lab.Client, server+"/page")
	d.say("tried", "curl %s/page", server)
	d.say("client", "%s", r)
	seen := stage.Settled(ctx, d.origin, "/page")
	d.say("server", "%s", received(seen))
	_, err := d.await(ctx, mark, "a record of the request", func(e *stage.Event) bool { return e.Type == "http" && e.HTTP != nil && e.HTTP.URL == "/page" })
	return all(must(r.Code == 200 && r.Err == nil, "the page did not come"), must(len(seen) == 1 && seen[0].Complete, "the server received something else"), err)
}

// received tells what a server got.
func received(seen []netlab.Request) string {
	if len(seen) == 0 {
		return "nothing"
	}
	var lines []string
	for _, r := range seen {
		how := "whole"
		if !r.Complete {
			how = "cut off"
		}
		lines = append(lines, fmt.Sprintf("%s %s, %s, %d bytes of body", r.Method, r.Path, how, len(r.Body)))
	}
	return strings.Join(lines, "\n")
}

func cards(ctx context.Context, d *demo) error { return d.uploadCards(ctx, "/cards", 12, 1) }

// uploadCards posts a list of cards and expects it to be refused.
func (d *demo) uploadCards(ctx context.Context, path string, n int, seed uint64) error {
	numbers := stage.Cards(n, seed)
	list := stage.CardList(numbers)
	file := filepath.Join(d.dir, "customers.csv")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		return err
	}
	mark := d.soc.Mark()
	d.say("tried", "curl --data-binary @customers.csv %s%s (%d cards, %d bytes)", server, path, n, len(list))
	r := stage.Curl(ctx, d.lab.Client, "-H", "Content-Type: text/csv", "--data-binary", "@"+file, server+path)
	d.say("client", "%s", r)
	seen := stage.Settled(ctx, d.origin, path)
	d.say("server", "%s; %d of %d card numbers", received(seen), stage.Arrived(seen, numbers), n)
	e, err := d.await(ctx, mark, "an event of lost data", isDLP)
	return all(must(r.Code == 403, "the client got no 403"), arrivedNot(seen, numbers), err, must(blocks(e, "block-cards"), "the event tells something else: %s", e.Raw))
}

func isDLP(e *stage.Event) bool { return e.DLP != nil }

// blocks reports whether an event tells of an enforced block by a rule.
func blocks(e stage.Event, rule string) bool {
	return e.DLP != nil && e.DLP.Action == "block" && e.DLP.Enforced && e.DLP.Rule == rule && e.DLP.Direction == "egress"
}

// arrivedNot gives an error where a server received a whole request, or one of the values.
func arrivedNot(seen []netlab.Request, values []string) error {
	for _, r := range seen {
		if r.Complete {
			return fmt.Errorf("%s %s arrived", r.Method, r.Path)
		}
	}
	if n := stage.Arrived(seen, values); n > 0 {
		return fmt.Errorf("%d secrets arrived", n)
	}
	return nil
}

func marked(ctx context.Context, d *demo) error {
	file := filepath.Join(d.dir, "roadmap.txt")
	text := "CONFIDENTIAL\n\nRoadmap 2027\n\nWe take over Example Corp. in March, at 41 a share.\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	mark := d.soc.Mark()
	d.say("tried", "curl -F note=hello -F file=@roadmap.txt %s/share", server)
	r := stage.Curl(ctx, d.lab.Client, "-F", "note=hello", "-F", "file=@"+file, server+"/share")
	d.say("client", "%s", r)
	seen := stage.Settled(ctx, d.origin, "/share")
	d.say("server", "%s", received(seen))
	e, err := d.await(ctx, mark, "an event of lost data", isDLP)
	return all(must(r.Code == 403, "the client got no 403"), arrivedNot(seen, []string{"Example Corp"}), err,
		must(blocks(e, "block-marked"), "the event tells something else: %s", e.Raw), must(e.DLP != nil && e.DLP.Object.Name == "roadmap.txt", "the event does not name the file"))
}

func signature(ctx context.Context, d *demo) error {
	mark := d.soc.Mark()
	const agent = "sqlmap/1.8.4#stable (https://sqlmap.org)"
	d.say("tried", "curl -A %q %s/items?id=1", agent, server)
	r := stage.Curl(ctx, d.lab.Client, "-A", agent, server+"/items?id=1")
	d.say("client", "%s", r)
	seen := stage.Settled(ctx, d.origin, "/items")
	d.say("server", "%s", received(seen))
	e, err := d.await(ctx, mark, "an alert", func(e *stage.Event) bool { return e.Alert != nil })
	return all(must(r.Code == 200, "an alert must not stop the request"), must(len(seen) == 1 && seen[0].Complete, "the request did not arrive"), err,
		must(e.Alert != nil && e.Alert.ID == 9000002 && e.Alert.Action == "allowed", "the alert is another: %s", e.Raw))
}

func blocked(ctx context.Context, d *demo) error {
	const n = 5
	mark := d.soc.Mark()
	before, err := d.daemon.Status(ctx)
	if err != nil {
		return err
	}
	d.say("tried", "%d datagrams from %s, which hostile.txt lists, to the client; one from %s", n, netlab.Hostile4, netlab.Server4)
	listed, others, err := stage.Datagrams(ctx, d.lab, n)
	if err != nil {
		return err
	}
	d.say("client", "received %d from %s, %d from %s", listed, netlab.Hostile4, others, netlab.Server4)
	after, err := d.daemon.Status(ctx)
	if err != nil {
		return err
	}
	dropped := after.XDP["block-source"] - before.XDP["block-source"]
	d.say("kernel", "XDP counted %d frames dropped, reason block-source", dropped)
	e, err := d.await(ctx, mark, "an event of drops", func(e *stage.Event) bool { return e.Type == "drop" && e.Src == netlab.Hostile4 })
	return all(must(listed == 0, "listed datagrams arrived"), must(others == 1, "the other one did not arrive"), must(dropped == n, "XDP counted %d", dropped), err,
		must(e.Drop != nil && e.Drop.List == "hostile" && e.Drop.Source == "xdp", "the event tells something else: %s", e.Raw))
}

func mail(ctx context.Context, d *demo) error {
	key, err := stage.PrivateKey()
	if err != nil {
		return err
	}
	send := func(subject, body string) (string, error) {
		c, err := d.lab.Client.DialContext(ctx, "", "tcp", netlab.Server4+":25")
		if err != nil {
			return "", err
		}
		defer c.Close()
		return stage.SendMail(c, subject, body)
	}
	mark := d.soc.Mark()
	d.say("tried", "two mails by SMTP: one about lunch, one with a private key")
	harmless, err := send("lunch", "At noon?")
	if err != nil {
		return err
	}
	answer, err := send("the key", "Here it is:\n\n"+key)
	d.say("client", "for lunch %q, for the key %q", harmless, answer)
	d.say("server", "%d mail taken", len(d.mail.Taken()))
	if err != nil {
		return err
	}
	e, err := d.await(ctx, mark, "an event of lost data", isDLP)
	return all(must(strings.HasPrefix(harmless, "250"), "the harmless mail was refused"), must(strings.HasPrefix(answer, "55"), "the answer is no refusal"),
		must(len(d.mail.Taken()) == 1, "the server took %d mails", len(d.mail.Taken())), err, must(blocks(e, "block-secret-keys"), "the event tells something else: %s", e.Raw))
}

func names(ctx context.Context, d *demo) error {
	mark := d.soc.Mark()
	d.say("tried", "curl https://%s, and a DNS query for %s", stage.TLSName, onion)
	r := stage.Curl(ctx, d.lab.Client, "-k", "--resolve", stage.TLSName+":443:"+netlab.Server4, "https://"+stage.TLSName+"/private")
	d.say("client", "%s", r)
	if err := d.query(ctx); err != nil {
		return err
	}
	_, err1 := d.await(ctx, mark, "a record of TLS", func(e *stage.Event) bool { return e.Type == "tls" && e.TLS != nil && e.TLS.SNI == stage.TLSName })
	_, err2 := d.await(ctx, mark, "a record of the query", func(e *stage.Event) bool {
		return e.Type == "dns" && e.DNS != nil && len(e.DNS.Queries) > 0 && e.DNS.Queries[0].Name == onion
	})
	_, err3 := d.await(ctx, mark, "an alert about the name", func(e *stage.Event) bool { return e.Alert != nil && e.Alert.ID == 9000501 })
	return all(must(r.Code == 200, "TLS did not pass"), err1, err2, err3)
}

// query sends a DNS query by UDP; nobody answers.
func (d *demo) query(ctx context.Context) error {
	name, err := dnsmessage.NewName(onion + ".")
	if err != nil {
		return err
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 0x5151, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := m.Pack()
	if err != nil {
		return err
	}
	c, err := d.lab.Client.DialContext(ctx, "", "udp", netlab.Server4+":53")
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(b)
	return err
}

func killed(ctx context.Context, d *demo) error {
	d.say("tried", "kill -9 %d", d.daemon.PID())
	if err := d.daemon.Kill(); err != nil {
		return err
	}
	r := stage.Curl(ctx, d.lab.Client, server+"/unguarded")
	d.say("client", "%s", r)
	listed, others, err := stage.Datagrams(ctx, d.lab, 5)
	if err != nil {
		return err
	}
	d.say("client", "received %d of 5 datagrams from %s, %d from %s", listed, netlab.Hostile4, others, netlab.Server4)
	bad := all(must(r.Code == 200, "traffic stopped with the daemon"), must(listed == 0, "the block list ended with the daemon"), must(others == 1, "a datagram was lost"))
	begin := time.Now()
	if err := d.start(ctx); err != nil {
		return all(bad, err)
	}
	d.say("gateway", "restarted as pid %d: in charge after %v", d.daemon.PID(), time.Since(begin).Round(time.Millisecond))
	return all(bad, d.uploadCards(ctx, "/cards-again", 8, 2))
}

func stopped(_ context.Context, d *demo) error {
	pid := d.daemon.PID()
	err := d.daemon.Stop()
	d.say("tried", "kill -TERM %d", pid)
	if err != nil {
		return err
	}
	after, err := d.lab.Ports()
	if err != nil {
		return err
	}
	_, statErr := os.Stat(d.daemon.Socket())
	left := must(after == d.before, "the ports are not as they were:\n%s", netlab.Diff(d.before, after))
	if left == nil {
		d.say("gateway", "no XDP program, no queueing discipline, no packet socket, offloads as before")
	}
	return all(left, must(errors.Is(statErr, os.ErrNotExist), "the control socket is still there"))
}
