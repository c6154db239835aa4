package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/livetest"
	"sluice/internal/netlab"
)

// smbPort is none where file servers usually listen: the protocol is recognised
// by what is said.
const smbPort = "4450"

const smbPassword = "correct horse"

// serveFiles runs Samba on the server with one share, all of whose state is in
// the test's folder. It gives the share's folder.
func (r *rig) serveFiles() string {
	r.Helper()
	for _, program := range []string{"smbd", "smbclient"} {
		if _, err := exec.LookPath(program); err != nil {
			livetest.Lacks(r, "%s is not installed (apt-get install samba smbclient)", program)
		}
	}
	state, share := filepath.Join(r.dir, "samba"), filepath.Join(r.dir, "share")
	for _, dir := range []string{state, share} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			r.Fatal(err)
		}
	}
	conf := r.write("smb.conf", fmt.Sprintf(`[global]
	server role = standalone server
	server min protocol = NT1
	map to guest = bad user
	guest account = root
	disable netbios = yes
	load printers = no
	printing = bsd
	disable spoolss = yes
	private dir = %[1]s
	lock directory = %[1]s
	state directory = %[1]s
	cache directory = %[1]s
	pid directory = %[1]s
	ncalrpc dir = %[1]s/ncalrpc
	smb passwd file = %[1]s/smbpasswd
	log file = %[1]s/log
[data]
	path = %[2]s
	guest ok = yes
	read only = no
	force user = root
`, state, share))
	// Encryption takes a session key, and that a password.
	add := exec.Command("smbpasswd", "-c", conf, "-L", "-s", "-a", "root")
	add.Stdin = strings.NewReader(smbPassword + "\n" + smbPassword + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		r.Fatalf("make a user: %v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(r.dir, "smbd.out"))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { log.Close() })
	cmd := exec.Command("smbd", "--foreground", "--no-process-group", "--configfile="+conf, "--port="+smbPort, "--log-basename="+state)
	cmd.Stdout, cmd.Stderr = log, log
	if _, err := r.lab.Server.Start(cmd); err != nil {
		r.Fatal(err)
	}
	addr := net.JoinHostPort(netlab.Server4, smbPort)
	for {
		c, err := r.lab.Server.DialContext(r.ctx, "", "tcp", addr)
		if err == nil {
			c.Close()
			return share
		}
		select {
		case <-r.ctx.Done():
			out, _ := os.ReadFile(log.Name())
			r.Fatalf("smbd does not listen: %v\n%s", err, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// smbclient runs commands of a real client on the share.
func (r *rig) smbclient(commands string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(r.ctx, "smbclient", append([]string{"//" + netlab.Server4 + "/data", "--port=" + smbPort, "--timeout=10",
		"--configfile=" + filepath.Join(r.dir, "smb.conf"), "--directory=/", "--command=lcd " + r.dir + "; " + commands}, args...)...)
	if len(args) == 0 || !strings.HasPrefix(args[len(args)-1], "--user") {
		cmd.Args = append(cmd.Args, "--no-pass")
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := r.lab.Client.Start(cmd)
	if err != nil {
		return "", err
	}
	err = p.Wait()
	return out.String(), err
}

// liveFiles moves files with a real client and a real server of SMB.
func liveFiles(r *rig) {
	share := r.serveFiles()
	r.start()
	stored := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(share, name))
		return string(b)
	}
	clean := strings.Repeat("An ordinary line of a quarterly report.\n", 30000)
	cards := stage.Cards(50, 2)
	r.write("clean.txt", clean)
	r.write("list.csv", stage.CardList(cards))
	r.write("large.csv", clean+stage.CardList(cards))
	r.write("plan.txt", "CONFIDENTIAL\n\nWe take over Example Corp. in March.\nthe end\n")
	r.write("report.txt", "CONFIDENTIAL\n\n"+clean[:200_000]+"the end\n")
	for _, version := range []string{"SMB3_11", "SMB2_02", "NT1"} {
		args := []string{"--option=client min protocol=NT1", "--option=client max protocol=" + version}
		name := version + ".txt"
		if out, err := r.smbclient("put clean.txt "+name+"; get "+name+" back.txt", args...); err != nil {
			r.Errorf("%s: a harmless file: %v\n%s", version, err, out)
		}
		back, _ := os.ReadFile(filepath.Join(r.dir, "back.txt"))
		if stored(name) != clean || string(back) != clean {
			r.Errorf("%s: of a harmless file of %d bytes %d arrived and %d came back", version, len(clean), len(stored(name)), len(back))
		}
		for _, file := range []string{"list.csv", "large.csv"} {
			mark := r.soc.Mark()
			to := version + "-" + file
			if out, err := r.smbclient("put "+file+" "+to, args...); err == nil {
				r.Errorf("%s: %s was taken\n%s", version, file, out)
			}
			// Fewer than five are no list, and may be in the last packets before the one that makes it five.
			if n := count(stored(to), cards); n >= 5 {
				r.Errorf("%s: %d card numbers of %s arrived", version, n, file)
			}
			// Which of two rules comes first depends on how many cards the segment has
			// that brings the first ones.
			e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
			if d := e.DLP; d.Rule != "block-cards" && d.Rule != "block-restricted" || d.Action != "block" || !d.Enforced || d.Channel != "smb" || strings.TrimPrefix(d.Object.Name, `\`) != to {
				r.Errorf("%s", e.Raw)
			}
		}
	}
	// A mark decides once the file is whole: with its only write, or its last.
	for _, c := range []struct{ file, version string }{{"plan.txt", "SMB3_11"}, {"report.txt", "SMB2_02"}} {
		mark := r.soc.Mark()
		if out, err := r.smbclient("put "+c.file, "--option=client max protocol="+c.version); err == nil {
			r.Errorf("%s: a marked file was taken\n%s", c.file, out)
		}
		r.awaitBlock(mark, "block-marked", "smb")
		if s := stored(c.file); strings.Contains(s, "the end") {
			r.Errorf("%s: of a marked file %d bytes arrived", c.file, len(s))
		}
	}
	// What is encrypted cannot be read; the policy tells of it.
	mark := r.soc.Mark()
	if out, err := r.smbclient("put list.csv veiled.csv", "--client-protection=encrypt", "--user=root%"+smbPassword); err != nil {
		r.Errorf("an encrypted upload: %v\n%s", err, out)
	}
	if e := r.await(mark, "an event of what cannot be read", func(e *stage.Event) bool { return e.DLP != nil }); e.DLP.Rule != "alert-unscannable" || e.DLP.Channel != "smb" {
		r.Errorf("%s", e.Raw)
	}
	r.page("after the blocks")
}

// count gives how many of the cards are in a text.
func count(text string, cards []string) (n int) {
	for _, c := range cards {
		if strings.Contains(text, c) {
			n++
		}
	}
	return n
}
