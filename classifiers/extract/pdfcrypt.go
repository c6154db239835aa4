package extract

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
)

// pdfCrypt decrypts a document that opens with the empty user password (ISO
// 32000-2 7.6): anyone who has the file can read it, so must we.
type pdfCrypt struct {
	key      []byte
	strAES   bool
	stmAES   bool
	strPlain bool
	stmPlain bool
	v5       bool
	metadata bool
}

var pdfPad = []byte("\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a")

// newPDFCrypt derives the key from the Encrypt dictionary; an error means that
// a password or another handler is needed.
func newPDFCrypt(p *pdfDoc, d pdfDict, id []byte) (*pdfCrypt, error) {
	if f, _ := p.resolve(d["Filter"]).(pdfName); f != "Standard" {
		return nil, errEncrypted
	}
	num := func(k string, def int) int {
		if v, ok := p.resolve(d[k]).(float64); ok {
			return int(int64(v))
		}
		return def
	}
	str := func(k string) []byte {
		s, _ := p.resolve(d[k]).(pdfString)
		return []byte(s)
	}
	c := &pdfCrypt{metadata: true}
	if v, ok := p.resolve(d["EncryptMetadata"]).(bool); ok {
		c.metadata = v
	}
	v, r, length := num("V", 0), num("R", 0), num("Length", 40)/8
	if v == 4 || v == 5 {
		cf, _ := p.resolve(d["CF"]).(pdfDict)
		c.stmAES, c.stmPlain = p.cryptFilter(cf, d["StmF"], &length)
		c.strAES, c.strPlain = p.cryptFilter(cf, d["StrF"], &length)
		if v == 4 {
			length = 16
		}
	}
	if v == 1 {
		length = 5
	}
	o, u := str("O"), str("U")
	switch {
	case v == 5:
		return c, c.openV5(r, u, str("UE"))
	case v < 1 || v > 5 || len(o) < 32 || len(u) < 16 || length < 5 || length > 16:
		return nil, errEncrypted
	}
	h := md5.New()
	h.Write(pdfPad)
	h.Write(o[:32])
	var perm [4]byte
	binary.LittleEndian.PutUint32(perm[:], uint32(int32(num("P", 0))))
	h.Write(perm[:])
	h.Write(id)
	if r >= 4 && !c.metadata {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	key := h.Sum(nil)
	if r >= 3 {
		for range 50 {
			s := md5.Sum(key[:length])
			key = s[:]
		}
	}
	c.key = key[:length]
	if !c.verify(r, u, id) {
		return nil, errEncrypted
	}
	return c, nil
}

// cryptFilter reads one of the named filters.
func (p *pdfDoc) cryptFilter(cf pdfDict, name any, length *int) (isAES, plain bool) {
	n, _ := p.resolve(name).(pdfName)
	if n == "" || n == "Identity" {
		return false, true
	}
	f, _ := p.resolve(cf[string(n)]).(pdfDict)
	if l, ok := p.resolve(f["Length"]).(float64); ok && l > 0 {
		*length = int(l)
	}
	m, _ := p.resolve(f["CFM"]).(pdfName)
	return m == "AESV2" || m == "AESV3", m == "None" || m == ""
}

// verify checks the key against the user password entry (algorithm 6).
func (c *pdfCrypt) verify(r int, u, id []byte) bool {
	if r == 2 {
		out := make([]byte, 32)
		rc, err := rc4.NewCipher(c.key)
		if err != nil {
			return false
		}
		rc.XORKeyStream(out, pdfPad)
		return len(u) >= 32 && bytes.Equal(out, u[:32])
	}
	h := md5.New()
	h.Write(pdfPad)
	h.Write(id)
	out := h.Sum(nil)
	k := make([]byte, len(c.key))
	for i := range 20 {
		for j := range k {
			k[j] = c.key[j] ^ byte(i)
		}
		rc, err := rc4.NewCipher(k)
		if err != nil {
			return false
		}
		rc.XORKeyStream(out, out)
	}
	return bytes.Equal(out, u[:16])
}

// openV5 unwraps the file key of AES-256 (algorithm 2.A).
func (c *pdfCrypt) openV5(r int, u, ue []byte) error {
	if len(u) < 48 || len(ue) < 32 {
		return errEncrypted
	}
	c.v5 = true
	hash := func(salt []byte) []byte {
		s := sha256.Sum256(salt)
		if r < 6 {
			return s[:]
		}
		return hashR6(s[:])
	}
	if !bytes.Equal(hash(u[32:40]), u[:32]) {
		return errEncrypted
	}
	block, err := aes.NewCipher(hash(u[40:48]))
	if err != nil {
		return errEncrypted
	}
	c.key = make([]byte, 32)
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(c.key, ue[:32])
	return nil
}

// hashR6 is algorithm 2.B for an empty password.
func hashR6(k []byte) []byte {
	for i := 0; ; i++ {
		k1 := bytes.Repeat(k, 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		e := make([]byte, len(k1))
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(e, k1)
		sum := 0
		for _, b := range e[:16] {
			sum += int(b)
		}
		switch sum % 3 {
		case 0:
			s := sha256.Sum256(e)
			k = s[:]
		case 1:
			s := sha512.Sum384(e)
			k = s[:]
		default:
			s := sha512.Sum512(e)
			k = s[:]
		}
		if i >= 63 && int(e[len(e)-1]) <= i-32 {
			return k[:32]
		}
	}
}

func (c *pdfCrypt) stream(num, gen int, b []byte) []byte {
	if c.stmPlain {
		return b
	}
	return c.decrypt(num, gen, b, c.stmAES)
}

func (c *pdfCrypt) string(num, gen int, b []byte) []byte {
	if c.strPlain {
		return b
	}
	return c.decrypt(num, gen, b, c.strAES)
}

func (c *pdfCrypt) decrypt(num, gen int, b []byte, isAES bool) []byte {
	key := c.key
	if !c.v5 {
		k := append(append([]byte{}, key...), byte(num), byte(num>>8), byte(num>>16), byte(gen), byte(gen>>8))
		if isAES {
			k = append(k, "sAlT"...)
		}
		s := md5.Sum(k)
		key = s[:min(len(c.key)+5, 16)]
	}
	if !isAES {
		rc, err := rc4.NewCipher(key)
		if err != nil {
			return nil
		}
		out := make([]byte, len(b))
		rc.XORKeyStream(out, b)
		return out
	}
	if len(b) < 32 {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	n := (len(b) - 16) &^ 15
	out := make([]byte, n)
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(out, b[16:16+n])
	if pad := int(out[n-1]); pad >= 1 && pad <= 16 {
		out = out[:n-pad]
	}
	return out
}
