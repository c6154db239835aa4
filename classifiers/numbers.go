package classifiers

import "slices"

// numbers gives all detectors of structured values.
func numbers() []*number {
	return slices.Concat(payment, nationalUS, nationalEU, nationalOther, personal, health, phones)
}
