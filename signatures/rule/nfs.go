package rule

import (
	"maps"
	"slices"
	"strings"
)

// nfsProcedures number the procedures of NFS by name, whatever their number is in a
// version: RFC 1813, then what RFC 1094, RFC 7530, RFC 8881 and RFC 7862 add. A test
// holds it against the parser.
var nfsProcedures = func() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range strings.Fields(`null getattr setattr lookup access readlink read write create mkdir symlink mknod remove rmdir rename link readdir
		readdirplus fsstat fsinfo pathconf commit root writecache statfs close delegpurge delegreturn getfh lock lockt locku lookupp nverify open openattr
		open_confirm open_downgrade putfh putpubfh putrootfh renew restorefh savefh secinfo setclientid setclientid_confirm verify release_lockowner
		backchannel_ctl bind_conn_to_session exchange_id create_session destroy_session free_stateid get_dir_delegation getdeviceinfo getdevicelist
		layoutcommit layoutget layoutreturn secinfo_no_name sequence set_ssv test_stateid want_delegation destroy_clientid reclaim_complete allocate copy
		copy_notify deallocate io_advise layouterror layoutstats offload_cancel offload_status read_plus seek write_same clone`) {
		m[n] = uint64(i)
	}
	return m
}()

// nfsProcedure reads a number, or a range whose ends are part of it, or the name of a
// procedure, which has other numbers in other versions.
func (c *context) nfsProcedure(name, val string) error {
	word, negated := strings.CutPrefix(strings.ToLower(strings.TrimSpace(val)), "!")
	if word != "" && !isDigit(strings.TrimLeft(word, " !=&<>")) {
		n, ok := nfsProcedures[strings.TrimSpace(word)]
		if !ok {
			return faultf("%q is no procedure of NFS%s", clip(val), didYouMean(word, slices.Collect(maps.Keys(nfsProcedures))))
		}
		t := IntTest{Op: '=', A: n}
		if negated {
			t.Op = '!'
		}
		return c.nfsField(name+".name", t)
	}
	if lo, hi, isRange := strings.Cut(val, "<>"); isRange && strings.TrimSpace(lo) != "" {
		not := strings.HasPrefix(strings.TrimSpace(lo), "!")
		a, err := parseUint(strings.TrimPrefix(strings.TrimSpace(lo), "!"), 1<<32-1)
		if err != nil {
			return err
		}
		b, err := parseUint(hi, 1<<32-1)
		if err != nil {
			return err
		}
		if a > b {
			return faultf("the range %d to %d holds no number", a, b)
		}
		if not {
			if a == 0 {
				return c.nfsField(name, IntTest{Op: '>', A: b})
			}
			return c.nfsField(name, IntTest{Op: 'R', A: a - 1, B: b + 1})
		}
		return c.nfsField(name, IntTest{Op: 'i', A: a, B: b})
	}
	t, err := parseInt(val, 1<<32-1, nil)
	if err != nil {
		return err
	}
	return c.nfsField(name, t)
}

// nfsVersion reads the version of NFS.
func (c *context) nfsVersion(_, val string) error {
	t, err := parseInt(val, 1<<32-1, nil)
	if err != nil {
		return err
	}
	return c.nfsField("nfs_version", t)
}

func (c *context) nfsField(name string, t IntTest) error {
	if err := c.needProto("nfs"); err != nil {
		return err
	}
	c.r.Fields = append(c.r.Fields, FieldTest{Keyword: name, Int: t, Col: c.col})
	if c.env.Field == nil || !c.env.Field(name) {
		return unevaluated("keyword " + name)
	}
	return nil
}
