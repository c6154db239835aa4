package worker

import "sluice/dataplane/flow"

// SetKeepBack gives the worker of a tap a function that keeps the data of a flow
// from passing the tap's ports from now on, which the worker waits for. Call it
// before the first Process.
func (w *Worker) SetKeepBack(keep func(flow.Key) error) { w.back = keep }

// keepBack has the kernel keep back what is left of a connection that is cut:
// resets cannot call back what is under way already, nor tell the receiver's next
// number as long as more of it arrives.
func (w *Worker) keepBack(f *flow.Flow) {
	if w.back == nil || f.Key.Tunnel != 0 {
		return
	}
	if err := w.back(f.Key); err != nil {
		w.counters.RefusalErrors++
	}
}
