package relay

import "bytes"

const (
	minBuffer = 4 << 10  // bytes of a reading buffer at first
	maxBuffer = 64 << 10 // its maximum, unless messages may be longer
)

// A splitter splits a stream into messages. It reads no conn.
//
// Read into room, report the number of bytes with took, and call next until it returns no message. A message is valid until
// the next call of room.
type splitter struct {
	framing Framing // Auto becomes Line
	max     int     // bytes of a message
	labels  bool    // under Auto, a stream that begins with a label has lines
	partial bool    // under Auto, the last message had no newline

	buf        []byte
	start, end int  // the bytes that next has not returned
	filled     bool // the last read filled the buffer
	ended      bool
}

// room returns the buffer for the next read. It is never empty.
func (s *splitter) room() []byte {
	switch {
	case s.buf == nil:
		s.buf = make([]byte, min(minBuffer, s.limit()))
	case s.start > 0:
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		s.grow()
	}
	room := s.buf[s.end:]
	if (s.framing == Chunk || s.partial) && len(room) > s.max {
		room = room[:s.max] // a longer one could not be one message
	}
	return room
}

// limit is the maximum size of the buffer: a message, its newline, and one byte more.
func (s *splitter) limit() int { return max(maxBuffer, s.max+2) }

// grow doubles the buffer. A line longer than limit never gets here: next has returned ErrTooLong.
func (s *splitter) grow() {
	bigger := make([]byte, min(2*len(s.buf), s.limit()))
	copy(bigger, s.buf[:s.end])
	s.buf = bigger
}

// took notes that n bytes were read.
func (s *splitter) took(n int) {
	s.end += n
	if s.framing == Auto && s.labels && labelled(s.waiting()) {
		s.framing = Line
	}
	s.labels = s.labels && n == 0 // only the first read counts
	s.filled = s.end == len(s.buf)
	if s.filled && len(s.buf) < s.limit() {
		s.grow() // data arrives faster than it is read
	}
}

// finish notes the end of the stream. The remaining bytes are a message.
func (s *splitter) finish() { s.ended = true }

// waiting returns the bytes that next has not returned.
func (s *splitter) waiting() []byte { return s.buf[s.start:s.end] }

// next returns the next message, without its newline. It fails with ErrTooLong.
func (s *splitter) next() (text []byte, ok bool, err error) {
	rest := s.waiting()
	if before, _, ok0 := bytes.Cut(rest, []byte{'\n'}); ok0 {
		return s.line(before)
	}
	switch {
	case len(rest) == 0:
		return nil, false, nil
	case s.chunks():
		text = rest[:min(len(rest), s.max)]
		s.start += len(text)
		s.partial = true
		return text, true, nil
	case len(withoutCR(rest)) > s.max, s.ended && len(rest) > s.max:
		return nil, false, ErrTooLong
	case s.ended:
		s.start = s.end
		return rest, true, nil
	}
	return nil, false, nil
}

// line returns a message that ends with a newline.
func (s *splitter) line(text []byte) (_ []byte, ok bool, err error) {
	s.start += len(text) + 1
	text = withoutCR(text)
	partial := s.partial
	s.partial = false
	if s.framing == Auto {
		if s.framing = Line; partial && len(text) == 0 {
			return s.next() // the newline of a message that was returned
		}
	}
	if len(text) > s.max && s.framing != Chunk {
		return nil, false, ErrTooLong
	}
	return text, true, nil
}

// chunks reports whether the waiting bytes are a message although they have no newline. A first read that fills the buffer
// is not: the rest of a longer line may follow. A line typed at a Linux terminal has at most 4095 bytes.
func (s *splitter) chunks() bool {
	switch s.framing {
	case Chunk:
		return true
	case Auto:
		if s.partial && !s.ended && string(s.waiting()) == "\r" {
			return false // a newline may follow
		}
		return s.ended || s.partial || !s.filled || len(s.waiting()) > s.max
	}
	return false
}

func withoutCR(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }
