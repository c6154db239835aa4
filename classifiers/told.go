package classifiers

// Findings without content: what a reader of files or a parser of protocols knows.

// encryptedDetector is file.encrypted-archive. What is done about encrypted content is
// the policy's to say (unscannable: encrypted), so that its level is no reason to block.
func encryptedDetector() Detector {
	return Detector{ID: "file.encrypted-archive", Level: Internal,
		Good: []string{"PK\x03\x04\x14\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00a.txtxxxx", "-----BEGIN PGP MESSAGE-----\n\nhQEMA5\n"},
		Bad:  []string{"PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00a.txtxxxx", "an encrypted archive"}}
}

// clearDetector is cred.ftp-pass: a password that goes by in the clear, as the parsers
// of FTP, POP3, IMAP, SMTP and SIP see it. It is found by no text.
func clearDetector() Detector {
	return Detector{ID: "cred.ftp-pass", Level: Confidential, Tags: []string{"PCI DSS 8.3.2"}, Secret: true}
}

// Encrypted gives the finding that an encrypted file is by itself; empty where it is
// below min or its detector is switched off.
func (s *Scanner) Encrypted(min Confidence) Result {
	return s.told(s.c.encrypted, min, Internal, []byte(encrypted)[:3])
}

// ClearPassword gives the finding that a password in the clear is. user tells logins
// apart; the password is none of its business.
func (s *Scanner) ClearPassword(user string, min Confidence) Result {
	return s.told(s.c.clear, min, Confidential, append([]byte("login "), user...))
}

// told makes the result of one finding.
func (s *Scanner) told(det int, min Confidence, level Level, value []byte) Result {
	if det == none || min > High {
		return Result{}
	}
	st := s.Open(ObjectMeta{MinConfidence: min, Raw: true})
	s.emit(st, &window2{}, uint16(det), 0, 0, High, level, value)
	return s.Close(st)
}

// Weigh gives counts that were added up their levels: many values may weigh more than
// each of the parts did that they are from.
func (s *Scanner) Weigh(r *Result) {
	for i := range r.Counts {
		n := &r.Counts[i]
		if at, ok := s.c.ids[n.Detector]; ok {
			n.Level = s.c.dets[at].weigh(n.Level, n.Unique[Medium])
		}
	}
	r.Level = max(r.Level, highest(r.Counts))
}
