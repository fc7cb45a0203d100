package cli

import (
	"errors"
	"flag"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestHostPort(t *testing.T) {
	for _, tt := range []struct {
		host string
		port int
		want string // "": a usage error
	}{
		{"example.org", 7735, "example.org:7735"},
		{"example.org:80", 7735, "example.org:80"},
		{"10.0.0.1", 7735, "10.0.0.1:7735"},
		{"::1", 7735, "[::1]:7735"},
		{"[::1]", 7735, "[::1]:7735"},
		{"[::1]:80", 7735, "[::1]:80"},
		{"fe80::1%eth0", 7735, "[fe80::1%eth0]:7735"},
		{"[fe80::1%eth0]:80", 7735, "[fe80::1%eth0]:80"},
		{"example.org", 0, ""},
		{"::1", 0, ""},
		{":80", 7735, ""},
		{"host:", 7735, ""},
		{"", 7735, ""},
		{"[::1", 7735, ""},
		{"a:b:c", 7735, ""},
	} {
		got, err := HostPort(tt.host, tt.port)
		_, usage := errors.AsType[usageError](err)
		if got != tt.want || usage != (tt.want == "") {
			t.Errorf("HostPort(%q, %d) = %q, %v; want %q", tt.host, tt.port, got, err, tt.want)
		}
	}
}

func TestResolve(t *testing.T) {
	got, err := Resolve([]string{"127.0.0.1", "::1", "[::1]:80", "::ffff:10.0.0.1"}, 7735)
	want := []string{"127.0.0.1:7735", "[::1]:7735", "[::1]:80", "10.0.0.1:7735"}
	for i := range want {
		if err != nil || got[i].String() != want[i] {
			t.Errorf("%v, %v; want %s", got, err, want)
			break
		}
	}
}

func TestParseRate(t *testing.T) {
	for s, want := range map[string]float64{
		"100e6": 100e6, "8": 8, "0": 0, "10mbit": 10e6, "10Mbit": 10e6, "10mbit/s": 10e6, "1.5gbit": 1.5e9, "64kbit": 64e3, "9bit": 9,
		"1.5MB": 12e6, "1kB": 8e3, "1KiB": 8192, "1MiB/s": 8 << 20, "100B": 800,
		"": math.NaN(), "mbit": math.NaN(), "-1": math.NaN(), "10 parsecs": math.NaN(), "inf": math.NaN(), "NaN": math.NaN(),
	} {
		got, err := ParseRate(s)
		if math.IsNaN(want) != (err != nil) || err == nil && got != want {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args, plain string
		n           int
		b           bool
	}{
		{"", "", 0, false},
		{"-n 1 a b", "a b", 1, false},
		{"a -n 1 b -b", "a b", 1, true},
		{"a b -n=1", "a b", 1, false},
		{"a - b", "a - b", 0, false},
		{"-b -- -n 1", "-n 1", 0, true},
		{"a -- -n", "a -n", 0, false},
		{"-- a -- b", "a -- b", 0, false},
	} {
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		n, b := fs.Int("n", 0, ""), fs.Bool("b", false, "")
		err := parse(fs, strings.Fields(tt.args))
		if err != nil || *n != tt.n || *b != tt.b || !slices.Equal(fs.Args(), strings.Fields(tt.plain)) {
			t.Errorf("%q: %v, -n %d, -b %v, arguments %q", tt.args, err, *n, *b, fs.Args())
		}
	}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	if err := parse(fs, []string{"a", "-x"}); err == nil {
		t.Error("an unknown flag is taken for an argument")
	}
}
