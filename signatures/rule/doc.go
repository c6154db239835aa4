// Package rule is the signature language: it takes the text of rules (the
// language of Suricata 8) and gives rules as data, every keyword checked and
// every variable resolved, or an error with file, line, column, sid, keyword
// and remedy. It knows the names of buffers and protocols, and nothing of
// packets, matching or Hyperscan.
package rule
