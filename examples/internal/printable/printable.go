// Package printable makes text that came from the network safe to print. Names, messages and
// errors can hold what a terminal obeys or does not show: control characters, escape
// sequences, bidirectional overrides, invisible characters, line breaks, bytes that are not
// UTF-8. Every program prints such text through this package.
//
// Letters of all scripts, marks, digits, symbols, spaces and tabs stay as they are.
package printable

import (
	"io"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
)

// Text replaces each character that is not printable with U+FFFD, the replacement character.
func Text(s string) string { return strings.Map(replace, s) }

// Quote returns s as a string literal of Go, with an escape sequence for each character that
// is not printable.
func Quote(s string) string {
	var b strings.Builder
	for _, r := range strconv.Quote(s) {
		if Is(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// Error returns the text of err in one line.
func Error(err error) string {
	return Text(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// Logger returns a logger that writes printable lines to w.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(Writer(w), &slog.HandlerOptions{Level: level}))
}

// Writer returns a writer that passes text on to w and replaces each character that is not
// printable, except line breaks. A Write must not end inside a character.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ w io.Writer }

func (w writer) Write(p []byte) (int, error) {
	keepLines := func(r rune) rune {
		if r == '\n' {
			return r
		}
		return replace(r)
	}
	if _, err := io.WriteString(w.w, strings.Map(keepLines, string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func replace(r rune) rune {
	if Is(r) || r == '\t' {
		return r
	}
	return unicode.ReplacementChar
}

// Is reports whether a terminal shows r, and does nothing else with it.
func Is(r rune) bool {
	const braillePatternBlank = '\u2800'
	// IsGraphic excludes Cc, Cf (bidirectional overrides among them), Zl, Zp, private use and
	// unassigned code points. The tables hold letters and marks that are not shown.
	return unicode.IsGraphic(r) && r != braillePatternBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
