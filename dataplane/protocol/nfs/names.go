package nfs

import (
	"strconv"
	"strings"
	"sync"
)

// The names of procedures, by number.
var (
	names2 = strings.Fields(`NULL GETATTR SETATTR ROOT LOOKUP READLINK READ WRITECACHE WRITE CREATE REMOVE RENAME LINK SYMLINK MKDIR RMDIR READDIR STATFS`)
	names3 = strings.Fields(`NULL GETATTR SETATTR LOOKUP ACCESS READLINK READ WRITE CREATE MKDIR SYMLINK MKNOD REMOVE RMDIR RENAME LINK READDIR
		READDIRPLUS FSSTAT FSINFO PATHCONF COMMIT`)
	// names4 begins with the operation 3.
	names4 = strings.Fields(`ACCESS CLOSE COMMIT CREATE DELEGPURGE DELEGRETURN GETATTR GETFH LINK LOCK LOCKT LOCKU LOOKUP LOOKUPP NVERIFY OPEN OPENATTR
		OPEN_CONFIRM OPEN_DOWNGRADE PUTFH PUTPUBFH PUTROOTFH READ READDIR READLINK REMOVE RENAME RENEW RESTOREFH SAVEFH SECINFO SETATTR SETCLIENTID
		SETCLIENTID_CONFIRM VERIFY WRITE RELEASE_LOCKOWNER BACKCHANNEL_CTL BIND_CONN_TO_SESSION EXCHANGE_ID CREATE_SESSION DESTROY_SESSION FREE_STATEID
		GET_DIR_DELEGATION GETDEVICEINFO GETDEVICELIST LAYOUTCOMMIT LAYOUTGET LAYOUTRETURN SECINFO_NO_NAME SEQUENCE SET_SSV TEST_STATEID WANT_DELEGATION
		DESTROY_CLIENTID RECLAIM_COMPLETE ALLOCATE COPY COPY_NOTIFY DEALLOCATE IO_ADVISE LAYOUTERROR LAYOUTSTATS OFFLOAD_CANCEL OFFLOAD_STATUS READ_PLUS SEEK
		WRITE_SAME CLONE`)
)

// procedureName gives the name of a procedure, or of an operation of version 4.
func procedureName(version, n uint32) string {
	list := names3
	switch version {
	case 2:
		list = names2
	case 4:
		if list = names4; n >= 3 {
			n -= 3
		}
	}
	if int(n) < len(list) {
		return list[n]
	}
	return strconv.FormatUint(uint64(n), 10)
}

// ProcedureNames gives a number for each name of a procedure, in lower case: what nfs_procedure
// compares where a rule names one, since a procedure has other numbers in other
// versions. It must not be changed.
var ProcedureNames = sync.OnceValue(func() map[string]uint64 {
	all := map[string]uint64{"null": 0}
	for _, list := range [][]string{names3, names2, names4} {
		for _, n := range list {
			if n = strings.ToLower(n); all[n] == 0 && n != "null" {
				all[n] = uint64(len(all))
			}
		}
	}
	return all
})

// statuses are the names of what calls end with, which the versions have in common
// (RFC 1813 §2.6, RFC 8881 §15.1).
var statuses = map[uint32]string{0: "OK", 1: "ERR_PERM", 2: "ERR_NOENT", 5: "ERR_IO", 6: "ERR_NXIO", 13: "ERR_ACCESS", 17: "ERR_EXIST", 18: "ERR_XDEV",
	19: "ERR_NODEV", 20: "ERR_NOTDIR", 21: "ERR_ISDIR", 22: "ERR_INVAL", 27: "ERR_FBIG", 28: "ERR_NOSPC", 30: "ERR_ROFS", 31: "ERR_MLINK",
	63: "ERR_NAMETOOLONG", 66: "ERR_NOTEMPTY", 69: "ERR_DQUOT", 70: "ERR_STALE", 71: "ERR_REMOTE", 10001: "ERR_BADHANDLE", 10002: "ERR_NOT_SYNC",
	10003: "ERR_BAD_COOKIE", 10004: "ERR_NOTSUPP", 10005: "ERR_TOOSMALL", 10006: "ERR_SERVERFAULT", 10007: "ERR_BADTYPE", 10008: "ERR_JUKEBOX",
	10009: "ERR_SAME", 10010: "ERR_DENIED", 10011: "ERR_EXPIRED", 10012: "ERR_LOCKED", 10013: "ERR_GRACE", 10014: "ERR_FHEXPIRED",
	10015: "ERR_SHARE_DENIED", 10016: "ERR_WRONGSEC", 10017: "ERR_CLID_INUSE", 10019: "ERR_MOVED", 10020: "ERR_NOFILEHANDLE",
	10021: "ERR_MINOR_VERS_MISMATCH", 10022: "ERR_STALE_CLIENTID", 10023: "ERR_STALE_STATEID", 10024: "ERR_OLD_STATEID", 10025: "ERR_BAD_STATEID",
	10026: "ERR_BAD_SEQID", 10027: "ERR_NOT_SAME", 10029: "ERR_SYMLINK", 10036: "ERR_BADXDR", 10038: "ERR_OPENMODE", 10040: "ERR_BADCHAR",
	10041: "ERR_BADNAME", 10044: "ERR_OP_ILLEGAL", 10052: "ERR_BADSESSION"}

func statusName(n uint32) string {
	if s := statuses[n]; s != "" {
		return s
	}
	return strconv.FormatUint(uint64(n), 10)
}
