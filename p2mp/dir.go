package p2mp

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// fileMode is the mode of received files, before the umask.
const fileMode = 0o666

// Dir returns a Handler that keeps every transfer as a file in root. A file
// appears there only when it is whole; until then a temporary file, whose name begins
// with a dot, holds it, and goes away when the transfer fails.
//
// The classic protocol tells no name, so the file is named after the sender's
// address and the time at which the transfer began, such as
// 10.0.0.2_50123_20260314T150405.000000. An existing file is never overwritten.
func Dir(root *os.Root) Handler {
	return HandlerFunc(func(o Offer) (Sink, error) {
		return newFileSink(root, classicName(o, time.Now()), false)
	})
}

// SaveAs returns a Handler that keeps a transfer as the file name in root, which it
// replaces if it exists, as [Dir] does: whole or not at all. Later transfers replace earlier ones.
func SaveAs(root *os.Root, name string) Handler {
	return HandlerFunc(func(Offer) (Sink, error) {
		return newFileSink(root, name, true)
	})
}

// classicName makes a file name that every system allows: IPv6's colons are not.
func classicName(o Offer, now time.Time) string {
	addr := strings.NewReplacer(":", "-", "%", "-").Replace(o.From.Addr().String())
	return fmt.Sprintf("%s_%d_%s", addr, o.From.Port(), now.UTC().Format("20060102T150405.000000"))
}

// A fileSink writes a temporary file and gives it its name at the end.
type fileSink struct {
	*wholefile.File
	replace bool
}

func newFileSink(root *os.Root, name string, replace bool) (Sink, error) {
	f, err := wholefile.Create(root, name, fileMode)
	if err != nil {
		return nil, err
	}
	return fileSink{f, replace}, nil
}

func (s fileSink) Commit() error { return s.File.Commit(s.replace) }

// Abort removes the temporary file. If even that fails there is nobody left to tell.
func (s fileSink) Abort(error) { _ = s.File.Abort() }
