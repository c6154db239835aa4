package config

import "slices"

// Capture says how frames are taken from the ports.
type Capture struct {
	// Buffer bounds what waits for one worker on one port: the receive buffer
	// inline, the ring of a tap.
	Buffer Size `yaml:"buffer"`
	// CPUs pins workers to processors in this order, group after group of ports;
	// empty leaves it to the kernel. Name those of the ports' NUMA node (`sluice
	// doctor` tells which), and keep the cards' interrupts off them.
	CPUs []int `yaml:"cpus" min:"0" max:"1023"`
	// BusyPoll has a worker without frames look for more for up to this long
	// before it sleeps, while they come that soon, and lets the driver be polled;
	// 0 sleeps at once. It shortens the way of a frame at the price of processor
	// time between frames that follow each other closely.
	BusyPoll Duration `yaml:"busy-poll"`
}

// Overload says what becomes of traffic that the workers cannot keep up with.
// Without it frames are lost to full buffers, whichever they are; with it flows
// of low risk go past uninspected before that, each told by an event.
type Overload struct {
	// Shed is yes, no, or auto: yes unless ports.fail is closed.
	Shed string `yaml:"shed" enum:"auto|yes|no"`
	// Order lists the kinds of flows that may go past, those of least risk first:
	// encrypted, download (most bytes come from outside) and upload (not text).
	// The next kind is taken when the ones before were not enough.
	Order []string `yaml:"order" enum:"encrypted|download|upload"`
	// Past is how many bytes of a flow are inspected at least.
	Past Size `yaml:"past"`
	// High is how full a buffer must be, in percent, for flows to go past, and
	// Low how empty for Calm before that ends.
	High int      `yaml:"high" min:"1" max:"100"`
	Low  int      `yaml:"low" min:"0" max:"99"`
	Calm Duration `yaml:"calm"`
	// MaxFlows bounds the flows of one worker that go past at a time.
	MaxFlows int `yaml:"max-flows" min:"1" max:"65536"`
}

// checkLive checks how frames are taken and when flows are shed.
func (c *Config) checkLive(bad func(key, hint, format string, args ...any)) {
	if b := c.Ports.Capture.Buffer; b < 2*mib || b > 1<<30 {
		bad("ports.capture.buffer", "from 2mb to 1gb are possible", "%d bytes", b)
	}
	if d := c.Ports.Capture.BusyPoll.D(); d > 20e6 {
		bad("ports.capture.busy-poll", "up to 20ms are possible; 50us to 200us are usual", "%v is too long", d)
	}
	for i, cpu := range c.Ports.Capture.CPUs {
		if slices.Contains(c.Ports.Capture.CPUs[:i], cpu) {
			bad("ports.capture.cpus", "", "names processor %d twice", cpu)
		}
	}
	if o := c.Overload; o.Low >= o.High {
		bad("overload.low", "it must be below overload.high", "is %d, and overload.high %d", o.Low, o.High)
	}
}
