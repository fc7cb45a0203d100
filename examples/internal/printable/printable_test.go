package printable

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, tt := range []struct{ name, in, text, quote string }{
		{"letters", "Grüße, 東京, שלום, مرحبا, नमस्ते", "Grüße, 東京, שלום, مرحبا, नमस्ते", `"Grüße, 東京, שלום, مرحبا, नमस्ते"`},
		{"symbols and emoji", "€ ± 🚀", "€ ± 🚀", `"€ ± 🚀"`},
		{"combining accent", "e\u0301", "e\u0301", "\"e\u0301\""},
		{"ideographic space", "あ\u3000い", "あ\u3000い", `"あ\u3000い"`},
		{"quotes", `a "b" \c`, `a "b" \c`, `"a \"b\" \\c"`},
		{"tab", "a\tb", "a\tb", `"a\tb"`},
		{"replacement character", "\ufffd", "\ufffd", `"�"`},
		{"line break", "a\nb\r\n", "a\ufffdb\ufffd\ufffd", `"a\nb\r\n"`},
		{"vertical tab, next line, separators", "\v\f\u0085\u2028\u2029", "\ufffd\ufffd\ufffd\ufffd\ufffd", `"\v\f\u0085\u2028\u2029"`},
		{"escape sequence", "\x1b[2J", "\ufffd[2J", `"\x1b[2J"`},
		{"zero, bell, backspace, delete", "\x00\a\b\x7f", "\ufffd\ufffd\ufffd\ufffd", `"\x00\a\b\x7f"`},
		{"C1 control", "\u009b31m", "\ufffd31m", `"\u009b31m"`},
		{"C1 control as a byte", "\x9b31m", "\ufffd31m", `"\x9b31m"`},
		{"bidirectional override", "a\u202egpj.exe", "a\ufffdgpj.exe", `"a\u202egpj.exe"`},
		{"bidirectional isolates and marks", "\u2066\u2069\u200e\u200f\u061c", strings.Repeat("\ufffd", 5), `"\u2066\u2069\u200e\u200f\u061c"`},
		{"zero width", "a\u200bb\u200c\u200d\u2060\ufeff", "a\ufffdb\ufffd\ufffd\ufffd\ufffd", `"a\u200bb\u200c\u200d\u2060\ufeff"`},
		{"soft hyphen", "a\u00adb", "a\ufffdb", `"a\u00adb"`},
		{"letters that are not shown", "\u3164\u115f\u1160\uffa0", "\ufffd\ufffd\ufffd\ufffd", `"\u3164\u115f\u1160\uffa0"`},
		{"marks that are not shown", "\u034f\ufe0f\u180b\U000e0101", "\ufffd\ufffd\ufffd\ufffd", `"\u034f\ufe0f\u180b\U000e0101"`},
		{"braille blank", "\u2800", "\ufffd", `"\u2800"`},
		{"tags", "\U000e0041", "\ufffd", `"\U000e0041"`},
		{"private use, unassigned", "\ue000\u0378", "\ufffd\ufffd", `"\ue000\u0378"`},
		{"not UTF-8", "a\xff\xc3(\xed\xa0\x80", "a\ufffd\ufffd(\ufffd\ufffd\ufffd", `"a\xff\xc3(\xed\xa0\x80"`},
	} {
		if got := Text(tt.in); got != tt.text {
			t.Errorf("%s: Text = %+q, want %+q", tt.name, got, tt.text)
		}
		if got := Quote(tt.in); got != tt.quote {
			t.Errorf("%s: Quote = %+q, want %+q", tt.name, got, tt.quote)
		}
	}
}

func TestError(t *testing.T) {
	err := errors.Join(errors.New("one \x1b[2J"), errors.New("two"))
	if got, want := Error(err), "one \ufffd[2J; two"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := Writer(&b)
	if n, err := fmt.Fprintf(w, "a\x1b\n\tb\u202e\r\n"); n != 10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got, want := b.String(), "a\ufffd\n\tb\ufffd\ufffd\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	l := Logger(&b, slog.LevelDebug)
	l.Debug("x", "name", "a\u3164\n\x1bb", "err", errors.New("\u202e\xff\u034f"))
	got := b.String()
	if strings.Count(got, "\n") != 1 || Text(strings.TrimSuffix(got, "\n")) != strings.TrimSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
	if !strings.Contains(got, `name="a`+"\ufffd"+`\n\x1bb"`) {
		t.Errorf("%q", got)
	}
}
