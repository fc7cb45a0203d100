package relay

import "bytes"

const (
	minBuffer = 4 << 10  // bytes of a reading buffer at first
	maxBuffer = 64 << 10 // what it may grow to, or more if messages may be longer
)

// A splitter cuts a stream into messages. It reads no conn: it says where the next bytes go, is told how many came,
// and is asked for messages.
//
// Its use is room and took, then next until there is none. What next returns is valid until the next room.
type splitter struct {
	framing Framing // Auto becomes Line
	max     int     // bytes of a message
	labels  bool    // under Auto, a stream that begins with a label is lines
	partial bool    // under Auto, the message returned last had no newline

	buf        []byte
	start, end int  // what has not been returned yet
	filled     bool // the last read filled the buffer
	ended      bool
}

// room returns where the next bytes go. It is never empty.
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

// limit is how long the buffer may grow: a message, its newline, and the byte that
// shows that there is none.
func (s *splitter) limit() int { return max(maxBuffer, s.max+2) }

// grow doubles the buffer. A line that fills all of it is too long, and next has said so.
func (s *splitter) grow() {
	bigger := make([]byte, min(2*len(s.buf), s.limit()))
	copy(bigger, s.buf[:s.end])
	s.buf = bigger
}

// took notes that n bytes came.
func (s *splitter) took(n int) {
	s.end += n
	if s.framing == Auto && s.labels && labelled(s.waiting()) {
		s.framing = Line
	}
	s.labels = s.labels && n == 0 // only the first read may show it
	s.filled = s.end == len(s.buf)
	if s.filled && len(s.buf) < s.limit() {
		s.grow() // it comes faster than it is read
	}
}

// finish notes that no more bytes will come: what is there is a message.
func (s *splitter) finish() { s.ended = true }

// waiting returns the bytes that next has not returned.
func (s *splitter) waiting() []byte { return s.buf[s.start:s.end] }

// next returns the next message, without its newline. It fails with ErrTooLong.
func (s *splitter) next() (text []byte, ok bool, err error) {
	rest := s.waiting()
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		return s.line(rest[:i])
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
			return s.next() // the end of a line of which all has been returned
		}
	}
	if len(text) > s.max && s.framing != Chunk {
		return nil, false, ErrTooLong
	}
	return text, true, nil
}

// chunks reports whether what is there is a message though it has no newline. A first read that fills the buffer shows
// only a part of what was sent, and leaves it open. No line typed at a terminal does: that of Linux has 4095 bytes at most.
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
