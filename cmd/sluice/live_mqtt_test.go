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

// liveTelemetry publishes to a real broker of MQTT: what a machine says goes
// through, a list of cards does not reach those who listen.
func liveTelemetry(r *rig) {
	for _, program := range []string{"mosquitto", "mosquitto_pub", "mosquitto_sub"} {
		if _, err := exec.LookPath(program); err != nil {
			livetest.Lacks(r, "%s is not installed (apt-get install mosquitto mosquitto-clients)", program)
		}
	}
	conf := r.write("mosquitto.conf", "listener 1883\nallow_anonymous true\npersistence false\nuser root\n")
	if _, err := r.lab.Server.Start(exec.Command("mosquitto", "-c", conf)); err != nil {
		r.Fatal(err)
	}
	arrived, err := os.Create(filepath.Join(r.dir, "arrived"))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { arrived.Close() })
	// The listener is told of a first message once it is there.
	listen := exec.Command("sh", "-c", "until mosquitto_sub -V 5 -h "+netlab.Server4+" -t 'plant/#'; do sleep 0.1; done")
	listen.Stdout = arrived
	if _, err := r.lab.Server.Start(listen); err != nil {
		r.Fatal(err)
	}
	heard := func() string {
		b, _ := os.ReadFile(arrived.Name())
		return string(b)
	}
	for !strings.Contains(heard(), "begin") {
		r.lab.Server.Run(r.ctx, "mosquitto_pub", "-h", netlab.Server4, "-t", "plant/cell7", "-m", "begin")
		select {
		case <-r.ctx.Done():
			r.Fatal("the broker passes nothing on")
		case <-time.After(50 * time.Millisecond):
		}
	}
	r.start()
	cards := r.write("cards.csv", stage.CardList(stage.Cards(20, 5)))
	for _, version := range []string{"311", "5"} {
		publish := func(args ...string) (string, error) {
			return r.lab.Client.Run(r.ctx, "mosquitto_pub", append([]string{"-h", netlab.Server4, "-V", version, "-q", "1", "-t", "plant/cell7"}, args...)...)
		}
		if out, err := publish("-m", "spindle 7 at 41 C, version "+version); err != nil {
			r.Errorf("version %s: a harmless message: %v\n%s", version, err, out)
		}
		mark := r.soc.Mark()
		// The client may try again by itself: it is not waited for.
		if out, err := publish("-f", cards); err == nil {
			r.Errorf("version %s: the list was taken\n%s", version, out)
		}
		r.awaitBlock(mark, "block-cards", "mqtt")
		if out, err := publish("-m", "the end of version "+version); err != nil {
			r.Errorf("version %s: after the block: %v\n%s", version, err, out)
		}
		for !strings.Contains(heard(), "the end of version "+version) {
			select {
			case <-r.ctx.Done():
				r.Fatalf("version %s: messages do not arrive: %q", version, heard())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	got := heard()
	for _, card := range stage.Cards(20, 5) {
		if strings.Contains(got, card) {
			r.Fatalf("a card arrived: %q", got)
		}
	}
	if !strings.Contains(got, "spindle 7 at 41 C, version 311") || !strings.Contains(got, "spindle 7 at 41 C, version 5") {
		r.Errorf("harmless messages are missing: %q", got)
	}
}
