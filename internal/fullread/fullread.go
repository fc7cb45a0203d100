// Package fullread reads sources that are sent as a whole.
package fullread

import "io"

// Read fills b, or reads to the end of r; over says that it has. It is not io.ReadFull,
// which cannot tell a source that ends from one that says that it was cut off
// (io.ErrUnexpectedEOF).
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
