package tftp

import "io"

// Netascii is text as a terminal of RFC 764 has it: a line ends with CR LF, and
// a CR that ends no line is CR NUL (RFC 1350, section 1). Here a line ends with LF.

// A netasciiReader encodes what it reads from r. It keeps at most one byte between
// calls, so that a pair may lie across the border of two blocks.
type netasciiReader struct {
	r       io.Reader
	buf     [4096]byte
	in      []byte // read, not encoded yet
	pending byte   // the second byte of a pair, if half
	half    bool
	err     error
}

func (n *netasciiReader) Read(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		if n.half {
			b[done], n.half = n.pending, false
			done++
			continue
		}
		if len(n.in) == 0 {
			if n.err != nil || done > 0 {
				break
			}
			if !n.fill() {
				break
			}
			continue
		}
		c := n.in[0]
		n.in = n.in[1:]
		switch c {
		case '\n':
			c, n.pending, n.half = '\r', '\n', true
		case '\r':
			n.pending, n.half = 0, true
		}
		b[done] = c
		done++
	}
	if done > 0 || len(b) == 0 {
		return done, nil
	}
	return 0, n.err
}

// fill reads more. It reports whether there is any.
func (n *netasciiReader) fill() bool {
	k, err := n.r.Read(n.buf[:])
	n.in, n.err = n.buf[:k], err
	return k > 0 || err == nil
}

// A netasciiWriter decodes what is written to it. A CR that neither LF nor NUL
// follows is against the rules, and is kept as it is. Close writes a CR that was
// the last byte of all.
type netasciiWriter struct {
	w   io.Writer
	cr  bool
	buf []byte
}

func (n *netasciiWriter) Write(b []byte) (int, error) {
	n.buf = n.buf[:0]
	for _, c := range b {
		if n.cr {
			n.cr = false
			switch c {
			case '\n':
				n.buf = append(n.buf, '\n')
				continue
			case 0:
				n.buf = append(n.buf, '\r')
				continue
			}
			n.buf = append(n.buf, '\r')
		}
		if c == '\r' {
			n.cr = true
			continue
		}
		n.buf = append(n.buf, c)
	}
	if err := write(n.w, n.buf); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close writes what is left over.
func (n *netasciiWriter) Close() error {
	if !n.cr {
		return nil
	}
	n.cr = false
	return write(n.w, []byte{'\r'})
}

// write fails also when w took less than it was given and kept silent about it.
func write(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
