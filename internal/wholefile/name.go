package wholefile

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
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
	ErrInvisible reason = "name holds a character that is invisible or changes the direction of text"
	ErrPath      reason = "name is a path, not a file's name"
	ErrDots      reason = "name is that of a directory"
	ErrHidden    reason = "name begins with a dot or a hyphen"
	ErrCharacter reason = `name holds one of : * ? " < > |, which Windows reserves`
	ErrTrailing  reason = "name ends with a dot or a space, which Windows removes"
	ErrDevice    reason = "name is one that Windows reserves for a device"
	ErrTemporary reason = "name is that of a temporary file (.NAME.part)"
)

// A NameError is the error of [Names.Check]. Its text quotes the name.
type NameError struct {
	Name string
	Err  error // one of the reasons
}

func (e *NameError) Error() string { return fmt.Sprintf("%q: %v", e.Name, e.Err) }

// Unwrap returns the reason, which is an fs.ErrInvalid.
func (e *NameError) Unwrap() error { return e.Err }

// Names are the rules for names that come from the network and are given to files.
type Names struct {
	// DotFiles allows names that begin with a dot or a hyphen.
	DotFiles bool
	// Portable refuses the names that Windows reserves on every system. Windows refuses
	// them in any case.
	Portable bool
}

// Check reports whether a file may have the name. A name has 1 to 255 bytes of UTF-8 and
// is a file name only: it holds neither / nor \. The error is a *[NameError] around one
// of the reasons.
//
// Names that are like those of temporary files are refused, because what arrives under
// such a name would be taken for a part of another file. So are names with characters
// that let one name look like another or that control a terminal.
func (n Names) Check(name string) error {
	if r := n.check(name); r != "" {
		return &NameError{Name: name, Err: r}
	}
	return nil
}

// CheckName is [Names.Check] for this system, with DotFiles.
func CheckName(name string) error { return Names{DotFiles: true}.Check(name) }

// check finds the first reason to refuse name, "" if there is none.
func (n Names) check(name string) reason {
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
	case misleads(name):
		return ErrInvisible
	case isTemporary(name):
		return ErrTemporary
	case !n.DotFiles && (name[0] == '.' || name[0] == '-'):
		return ErrHidden
	}
	if n.Portable || runtime.GOOS == "windows" {
		if r := reserved(name); r != "" {
			return r
		}
	}
	if !filepath.IsLocal(name) {
		return ErrDevice
	}
	return ""
}

// misleads reports whether name holds a character that is invisible or that changes the
// order of others on the screen: the categories Cf, Zl and Zp of Unicode, and fillers that
// have no glyph. The joiners U+200C and U+200D are allowed between two characters outside ASCII,
// where Persian, the scripts of India and emoji need them.
func misleads(name string) bool {
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case r == '\u200c' || r == '\u200d':
			if i == 0 || i == len(runes)-1 || runes[i-1] < utf8.RuneSelf || runes[i+1] < utf8.RuneSelf {
				return true
			}
		case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp), strings.ContainsRune(fillers, r):
			return true
		}
	}
	return false
}

// fillers are characters without a glyph that are letters or marks to Unicode: the Hangul
// fillers, the combining grapheme joiner, and Khmer's inherent vowels.
const fillers = "\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5"

// reserved finds what makes a name one that Windows does not allow. The rules are those
// of Microsoft's "Naming Files, Paths, and Namespaces".
func reserved(name string) reason {
	switch {
	case strings.ContainsAny(name, `:*?"<>|`):
		return ErrCharacter
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return ErrTrailing
	case isDevice(name):
		return ErrDevice
	}
	return ""
}

// checkLocal is the rule for a name that this user chose: any single name in the
// directory.
func checkLocal(name string) error {
	switch {
	case name == "":
		return &NameError{Name: name, Err: ErrEmpty}
	case name == "." || name == "..":
		return &NameError{Name: name, Err: ErrDots}
	case filepath.Base(name) != name || !filepath.IsLocal(name):
		return &NameError{Name: name, Err: ErrPath}
	}
	return nil
}

// isTemporary reports whether name is like those of temporary files. Some file systems do
// not tell capital letters from small ones.
func isTemporary(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(strings.ToLower(name), tempSuffix)
}

// isDevice reports whether any version of Windows takes name for a device. What follows
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
