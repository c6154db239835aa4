package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/livetest"
	"sluice/internal/netlab"
)

// pgProgram finds a program of PostgreSQL's server, which Debian keeps out of the
// search path.
func (r *rig) pgProgram(name string) string {
	r.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		livetest.Lacks(r, "%s is not installed (apt-get install postgresql)", name)
		return ""
	}
	return found[len(found)-1]
}

// serveDatabase runs PostgreSQL on the server, all of whose state is in a folder of
// its own. The server refuses to run as root.
func (r *rig) serveDatabase() {
	r.Helper()
	initdb, postgres := r.pgProgram("initdb"), r.pgProgram("postgres")
	if _, err := exec.LookPath("psql"); err != nil {
		livetest.Lacks(r, "psql is not installed (apt-get install postgresql-client)")
	}
	if _, err := exec.LookPath("runuser"); err != nil {
		livetest.Lacks(r, "runuser is not installed (apt-get install util-linux)")
	}
	dir, err := os.MkdirTemp("", "sluice-pgsql-")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { os.RemoveAll(dir) })
	if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		livetest.Lacks(r, "there is no user postgres: %s", out)
	}
	data := filepath.Join(dir, "data")
	as := func(args ...string) *exec.Cmd {
		cmd := exec.Command("runuser", append([]string{"-u", "postgres", "--"}, args...)...)
		cmd.Dir = dir
		return cmd
	}
	if out, err := as(initdb, "-D", data, "--no-sync", "--auth=trust", "--username=carol").CombinedOutput(); err != nil {
		r.Fatalf("initdb: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte("host all all 0.0.0.0/0 trust\n"), 0o644); err != nil {
		r.Fatal(err)
	}
	if _, err := r.lab.Server.Start(as(postgres, "-D", data, "-c", "listen_addresses=*", "-c", "unix_socket_directories=", "-c", "fsync=off")); err != nil {
		r.Fatal(err)
	}
}

// psql runs statements from a namespace.
func (r *rig) psql(from *netlab.Namespace, args ...string) (string, error) {
	return from.Run(r.ctx, "psql", append([]string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"host=" + netlab.Server4 + " user=carol dbname=postgres sslmode=disable gssencmode=disable connect_timeout=10"}, args...)...)
}

// liveDatabase tells a real server of PostgreSQL from a real client: what is harmless
// is stored, cards are not, be they in statements or copied.
func liveDatabase(r *rig) {
	r.serveDatabase()
	for {
		_, err := r.psql(r.lab.Server, "-c", "create table t (name text, card text)")
		if err == nil {
			break
		}
		select {
		case <-r.ctx.Done():
			r.Fatalf("the server does not answer: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	r.start()
	if out, err := r.psql(r.lab.Client, "-c", "insert into t values ('Ann', 'none'); select name from t"); err != nil || strings.TrimSpace(out) != "Ann" {
		r.Errorf("harmless statements: %v\n%s", err, out)
	}
	cards := stage.Cards(20, 5)
	list := r.write("cards.csv", stage.CardList(cards))
	var rows []string
	for _, card := range cards {
		rows = append(rows, "('Visa card of a customer', '"+card+"')")
	}
	for name, args := range map[string][]string{
		"a statement": {"-c", "insert into t values " + strings.Join(rows, ", ")},
		"a copy":      {"-c", "create table c (line text)", "-c", `\copy c from '` + list + "'"},
	} {
		mark := r.soc.Mark()
		if out, err := r.psql(r.lab.Client, args...); err == nil {
			r.Errorf("%s: the cards were taken\n%s", name, out)
		}
		r.awaitBlock(mark, "block-cards", "pgsql")
	}
	stored, err := r.psql(r.lab.Client, "-c", "select * from t")
	if err != nil {
		r.Errorf("after the blocks: %v\n%s", err, stored)
	}
	for _, card := range cards {
		if strings.Contains(stored, card) {
			r.Fatalf("a card arrived: %q", stored)
		}
	}
}
