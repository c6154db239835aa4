package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"sluice/events/sink/natssink"
	"sluice/internal/app"
	"sluice/internal/control"
	"sluice/internal/ctlsign"
)

func remoteCommand() *cobra.Command {
	var conf natssink.Config
	var keyFile, passwordFile, tokenFile string
	var wait time.Duration
	c := &cobra.Command{Use: "remote VERB [JSON]", Short: "Ask a daemon on another host, over NATS", Args: cobra.RangeArgs(1, 2),
		Long: `Remote sends a signed request to a daemon over NATS and prints its answer, a JSON
value. Verbs are status, blocks, block, unblock, quarantined, quarantine and
release; JSON is as the control socket takes it. The daemon answers where
outputs.nats.control is on and its outputs.nats.control-key-file holds the same
key as --key-file.`,
		Example: `  openssl rand -hex 32 | install -m 640 /dev/stdin /etc/sluice/control.key
  sluice remote --nats tls://nats.example:4222 --sensor gw1 --key-file /etc/sluice/control.key status
  sluice remote --sensor gw1 --key-file control.key quarantine '{"host":"10.1.2.3","reason":"ticket 4711"}'`}
	f := c.Flags()
	f.StringVar(&conf.URL, "nats", "nats://127.0.0.1:4222", "the broker's `URL`")
	f.StringVar(&conf.Sensor, "sensor", "", "the daemon's sensor.name")
	f.StringVar(&keyFile, "key-file", "", "the shared key")
	f.StringVar(&conf.User, "user", "", "name at the broker")
	f.StringVar(&passwordFile, "password-file", "", "its password")
	f.StringVar(&tokenFile, "token-file", "", "a token for the broker")
	f.StringVar(&conf.CredsFile, "creds-file", "", "credentials for the broker")
	f.StringVar(&conf.CAFile, "ca-file", "", "whom to trust behind tls://")
	f.StringVar(&conf.CertFile, "cert-file", "", "the client's certificate")
	f.StringVar(&conf.KeyFile, "cert-key-file", "", "and its key")
	f.DurationVar(&wait, "wait", 5*time.Second, "how long to wait for the answer")
	c.RunE = func(c *cobra.Command, args []string) error {
		if conf.Sensor == "" || keyFile == "" {
			return errors.New("--sensor and --key-file are needed")
		}
		body := []byte("null")
		if len(args) == 2 {
			if body = []byte(args[1]); !json.Valid(body) {
				return fmt.Errorf("%q is no JSON", args[1])
			}
		}
		key, err := ctlsign.ReadKey(keyFile)
		if err != nil {
			return err
		}
		for _, s := range []struct {
			file string
			to   *string
		}{{passwordFile, &conf.Password}, {tokenFile, &conf.Token}} {
			if s.file == "" {
				continue
			}
			b, err := os.ReadFile(s.file)
			if err != nil {
				return err
			}
			*s.to = strings.TrimSpace(string(b))
		}
		answer, err := ask(&conf, key, args[0], body, wait)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), strings.TrimSpace(string(answer)))
		return err
	}
	return c
}

// ask sends a request and gives the answer, or the daemon's refusal.
func ask(conf *natssink.Config, key ctlsign.Key, verb string, body []byte, wait time.Duration) ([]byte, error) {
	nc, err := nats.Connect(conf.URL, append(conf.Auth(), nats.Name("sluice remote"), nats.Timeout(wait))...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	r := ctlsign.NewRequest(app.ControlSubject+"."+natssink.Token(conf.Sensor)+"."+natssink.Token(verb), body, time.Now())
	m := nats.NewMsg(r.Subject)
	m.Data = body
	m.Header.Set(ctlsign.HeaderTime, r.Time)
	m.Header.Set(ctlsign.HeaderNonce, r.Nonce)
	m.Header.Set(ctlsign.HeaderSignature, key.Sign(&r))
	a, err := nc.RequestMsg(m, wait)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("no sensor %s answers requests there: outputs.nats.control must be on", conf.Sensor)
	case errors.Is(err, nats.ErrTimeout):
		return nil, errors.New("no answer: the key is another, the clocks differ by more than a minute, or the daemon is busy; its log tells")
	case err != nil:
		return nil, fmt.Errorf("ask: %w", err)
	}
	text := a.Header.Get(ctlsign.HeaderStatus)
	if !key.CheckAnswer(r.Nonce, text, a.Data, a.Header.Get(ctlsign.HeaderSignature)) {
		return nil, errors.New("the answer is not the daemon's: its signature is wrong")
	}
	if status, err := strconv.Atoi(text); err != nil || status >= 400 {
		var e control.Error
		if json.Unmarshal(a.Data, &e) != nil || e.Message == "" {
			e.Message = "status " + text
		}
		return nil, refused(&e)
	}
	return a.Data, nil
}
