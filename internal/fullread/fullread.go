// Package fullread reads exactly what a source has.
package fullread

import "io"

// Read fills b, or reads r to its end; over is then true. Unlike io.ReadFull, it
// distinguishes the end of a source from a source that returns io.ErrUnexpectedEOF because
// it was cut off.
func Read(r io.Reader, b []byte) (n int, over bool, err error) {
	for idle := 0; n < len(b); {
		k, err := r.Read(b[n:])
		n += k
		switch {
		case err == io.EOF:
			return n, true, nil
		case err != nil:
			return n, false, err
		case k > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return n, false, io.ErrNoProgress
			}
		}
	}
	return n, false, nil
}
