package live

import (
	"math"
	"sync/atomic"
)

// Pressure tells how hard the traffic presses on one worker.
type Pressure struct {
	// Fill is how full the fullest of its receive buffers is, from 0 to 1.
	Fill float64
	// Lost counts the frames that found no room there since the worker was opened.
	Lost uint64
}

// Pressed is a Processor that does something about pressure. Pressure is called
// before each Tick.
type Pressed interface {
	Pressure(Pressure)
}

// gauge is the fill of a worker's buffer on each side, for others to read.
type gauge [2]atomic.Uint64

func (g *gauge) set(side int, fill float64)  { g[side].Store(math.Float64bits(fill)) }
func (g *gauge) get(side int) (fill float64) { return math.Float64frombits(g[side].Load()) }

// press measures the receive buffers and tells the Processor.
func (w *worker) press() {
	var p Pressure
	var fill [2]float64
	for i, s := range w.in {
		f := s.Fill()
		p.Fill = max(p.Fill, f)
		p.Lost += s.Stats().Dropped
		fill[min(i, 1)] = max(fill[min(i, 1)], f)
	}
	for side, f := range fill {
		w.fill.set(side, f)
	}
	if proc, ok := w.proc.(Pressed); ok {
		proc.Pressure(p)
	}
}
