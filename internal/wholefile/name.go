package wholefile

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest file name, in bytes: NAME_MAX of Linux and macOS. Windows
// counts 255 UTF-16 units, which are never more than the bytes.
const maxName = 255

// A reason is why a name is refused. All are fs.ErrInvalid.
type reason string

func (r reason) Error() string { return string(r) }

// Unwrap says that every reason is one to call the name invalid.
func (reason) Unwrap() error { return fs.ErrInvalid }

// The reasons to refuse a name. Each is an fs.ErrInvalid.
const (
	ErrEmpty     reason = "name is empty"
	ErrLong      reason = "name is longer than 255 bytes"
	ErrEncoding  reason = "name is not UTF-8"
	ErrControl   reason = "name holds a control character"
	ErrPath      reason = "name is a path, not a file's name"
	ErrDots      reason = "name is that of a directory"
	ErrCharacter reason = `name holds one of : * ? " < > |, which Windows reserves`
	ErrTrailing  reason = "name ends with a dot or a space, which Windows removes"
	ErrDevice    reason = "name is one that Windows reserves for a device"
	ErrTemporary reason = "name is that of a file under way (.NAME.part)"
)

// A NameError is the error of [CheckName]. Its text quotes the name.
type NameError struct {
	Name string
	Err  error // one of the reasons
}

func (e *NameError) Error() string { return fmt.Sprintf("wholefile: %q: %v", e.Name, e.Err) }

// Unwrap returns the reason, which is an fs.ErrInvalid.
func (e *NameError) Unwrap() error { return e.Err }

// CheckName reports whether a file may have the name, which comes from the network. The
// answer is the same on every system, so that a file that one machine takes another
// does not silently refuse, rename or write to a printer. A name has 1 to 255 bytes of
// UTF-8 and is a file name only: it holds no directory, and neither / nor \. The error
// is a *[NameError] around one of the reasons.
//
// A name that begins with a dot is allowed, but for those of temporary files. A caller
// that serves a home directory may want to refuse more.
func CheckName(name string) error {
	if r := check(name); r != "" {
		return &NameError{Name: name, Err: r}
	}
	return nil
}

// check finds the first reason to refuse name, "" if there is none.
func check(name string) reason {
	switch {
	case name == "":
		return ErrEmpty
	case len(name) > maxName:
		return ErrLong
	case !utf8.ValidString(name):
		return ErrEncoding
	case strings.ContainsFunc(name, unicode.IsControl):
		return ErrControl
	case strings.ContainsAny(name, `/\`):
		return ErrPath
	case name == "." || name == "..":
		return ErrDots
	case strings.ContainsAny(name, `:*?"<>|`):
		return ErrCharacter
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return ErrTrailing
	case isTemporary(name):
		return ErrTemporary
	case isDevice(name) || !filepath.IsLocal(name):
		return ErrDevice
	}
	return ""
}

// isTemporary reports whether name is like those of temporary files: what a peer sends
// under such a name would be taken for half of another file. Some file systems do not
// tell capital letters from small ones.
func isTemporary(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(strings.ToLower(name), tempSuffix)
}

// isDevice reports whether Windows, any version of it, takes name for a device: the
// rules are those of Microsoft's "Naming Files, Paths, and Namespaces". What follows
// the first dot does not matter, nor do spaces before it.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, ok := strings.CutPrefix(base, "COM")
	if !ok {
		port, ok = strings.CutPrefix(base, "LPT")
	}
	if !ok {
		return false
	}
	switch port {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}
