// Package policies holds the classification policies that Sluice ships: text
// only, embedded. It knows nothing of what they mean.
package policies

import "embed"

// Default is the policy that is used when none is given.
//
//go:embed default.yaml
var Default []byte

// FS holds all shipped policies.
//
//go:embed *.yaml
var FS embed.FS
