// Package geoip tells where addresses are registered, from databases of
// MaxMind's format (MMDB) that the operator provides. It takes paths and
// addresses, gives country codes and numbers of autonomous systems, and knows
// nothing of who asks.
package geoip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

// DB is one or more open databases, asked in order. It is safe for concurrent
// use until Close.
type DB struct {
	readers []*maxminddb.Reader
}

// Open opens the databases at the paths that are not empty; nil without any.
func Open(paths ...string) (*DB, error) {
	var db *DB
	for _, p := range paths {
		if p == "" {
			continue
		}
		r, err := maxminddb.Open(p)
		if err != nil {
			if db != nil {
				err = errors.Join(err, db.Close())
			}
			return nil, fmt.Errorf("open address database %s: %w", p, err)
		}
		if db == nil {
			db = &DB{}
		}
		db.readers = append(db.readers, r)
	}
	return db, nil
}

// Country gives the ISO 3166-1 code in capitals of the country that an address
// is in, or is registered in; empty when that is not known. Damaged records are
// unknown.
func (db *DB) Country(a netip.Addr) string {
	var code string
	for _, r := range db.readers {
		res := r.Lookup(a)
		if !res.Found() {
			continue
		}
		for _, key := range [...]string{"country", "registered_country"} {
			if err := res.DecodePath(&code, key, "iso_code"); err == nil && code != "" {
				return code
			}
		}
	}
	return ""
}

// ASN gives the number of the autonomous system that an address belongs to; 0
// when that is not known.
func (db *DB) ASN(a netip.Addr) uint32 {
	var n uint32
	for _, r := range db.readers {
		if res := r.Lookup(a); res.Found() {
			if err := res.DecodePath(&n, "autonomous_system_number"); err == nil && n != 0 {
				return n
			}
		}
	}
	return 0
}

// Close closes the databases.
func (db *DB) Close() error {
	var err error
	for _, r := range db.readers {
		err = errors.Join(err, r.Close())
	}
	return err
}
