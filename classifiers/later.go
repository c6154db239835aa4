package classifiers

func (s *Scanner) judgeEmail(st *Stream, v *window2) {}
func (s *Scanner) judgeURL(st *Stream, v *window2)   {}
func (s *Scanner) judgeIPv4(st *Stream, v *window2)  {}
