package relay

import "bytes"

const (
	firstRead = 4 << 10  // bytes of a reading buffer at first
	usualRead = 64 << 10 // what it may grow to, or more if messages may be longer
)

// A splitter cuts a stream into messages. It reads no conn: it says where the next bytes
// go, is told how many came, and is asked for messages.
//
// Its use is room and took, then next until there is none. What next returns is
// valid until the next room.
type splitter struct {
	framing Framing
	max     int  // bytes of a message
	labels  bool // under Auto, what begins with a label is lines

	buf        []byte
	start, end int // what has not been returned yet
	ended      bool
}

// room returns where the next bytes go. It is never empty.
func (s *splitter) room() []byte {
	switch {
	case s.buf == nil:
		s.buf = make([]byte, min(firstRead, s.limit()))
	case s.start > 0:
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		s.grow()
	}
	room := s.buf[s.end:]
	if s.framing == Chunk && len(room) > s.max {
		room = room[:s.max] // a longer one could not be one message
	}
	return room
}

// limit is how long the buffer may grow: a message, its newline, and the byte that
// shows that there is none.
func (s *splitter) limit() int { return max(usualRead, s.max+2) }

// grow doubles the buffer. A line that fills all of it is too long, and next has said so.
func (s *splitter) grow() {
	bigger := make([]byte, min(2*len(s.buf), s.limit()))
	copy(bigger, s.buf[:s.end])
	s.buf = bigger
}

// took notes that n bytes came.
func (s *splitter) took(n int) {
	s.end += n
	if s.framing == Auto && n > 0 {
		s.framing = s.judge()
	}
	if s.end == len(s.buf) && len(s.buf) < s.limit() {
		s.grow() // it comes faster than it is read
	}
}

// judge tells lines from chunks by what has come so far. A read that fills the room shows
// only a part of what was sent, and leaves it open. No line typed at a terminal does:
// that of Linux has 4095 bytes at most.
func (s *splitter) judge() Framing {
	rest := s.waiting()
	switch {
	case bytes.IndexByte(rest, '\n') >= 0, s.labels && labelled(rest):
		return Line
	case s.end == len(s.buf) && len(rest) <= s.max:
		return Auto
	}
	return Chunk
}

// finish notes that no more bytes will come: what is there is a message.
func (s *splitter) finish() { s.ended = true }

// waiting returns the bytes that next has not returned.
func (s *splitter) waiting() []byte { return s.buf[s.start:s.end] }

// next returns the next message, without its newline. It fails with ErrTooLong.
func (s *splitter) next() (text []byte, ok bool, err error) {
	rest := s.waiting()
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		s.start += i + 1
		text = withoutCR(rest[:i])
		if len(text) > s.max && s.framing != Chunk {
			return nil, false, ErrTooLong
		}
		return text, true, nil
	}
	switch {
	case len(rest) == 0:
		return nil, false, nil
	case s.framing == Chunk:
		text = rest[:min(len(rest), s.max)]
		s.start += len(text)
		return text, true, nil
	case len(withoutCR(rest)) > s.max, s.ended && len(rest) > s.max:
		return nil, false, ErrTooLong
	case s.ended:
		s.start = s.end
		return rest, true, nil
	}
	return nil, false, nil
}

func withoutCR(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }
