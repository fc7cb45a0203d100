package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPortableNames(t *testing.T) {
	for _, test := range []struct {
		name string
		want reason // "": allowed
	}{
		{"a", ""},
		{"data.bin", ""},
		{".profile", ""},
		{"..data", ""},
		{"a..b", ""},
		{"a.part", ""},
		{".a.partial", ""},
		{" leading space", ""},
		{"with space.txt", ""},
		{"-rf", ""},
		{"~", ""},
		{"$HOME", ""},
		{"Größe 3½ m².txt", ""},
		{"日本語", ""},
		{"100%", ""},
		{strings.Repeat("a", 255), ""},
		{strings.Repeat("é", 127) + "a", ""},

		{"", ErrEmpty},
		{strings.Repeat("a", 256), ErrLong},
		{strings.Repeat("é", 128), ErrLong},
		{strings.Repeat("/", 300), ErrLong},
		{"\xff", ErrEncoding},
		{"a\xc3", ErrEncoding},
		{"\xed\xa0\x80", ErrEncoding}, // a surrogate
		{"a\x00b", ErrControl},
		{"a\nb", ErrControl},
		{"\x1b[2J", ErrControl},
		{"a\x7f", ErrControl},
		{"a\u0085", ErrControl},

		{"a/b", ErrPath},
		{"../x", ErrPath},
		{"/x", ErrPath},
		{"x/", ErrPath},
		{"/", ErrPath},
		{"./x", ErrPath},
		{`a\b`, ErrPath},
		{`..\x`, ErrPath},
		{`\x`, ErrPath},
		{`C:\x`, ErrPath},
		{".", ErrDots},
		{"..", ErrDots},
		{"...", ErrTrailing},
		{"a:b", ErrCharacter},
		{"C:", ErrCharacter},
		{"file::$DATA", ErrCharacter},
		{"a*", ErrCharacter},
		{"a?", ErrCharacter},
		{`"a"`, ErrCharacter},
		{"<a", ErrCharacter},
		{"a>", ErrCharacter},
		{"a|b", ErrCharacter},
		{"a.", ErrTrailing},
		{"a ", ErrTrailing},
		{"a. ", ErrTrailing},
		{" ", ErrTrailing},

		{"CON", ErrDevice},
		{"con", ErrDevice},
		{"con.txt", ErrDevice},
		{"Con.tar.gz", ErrDevice},
		{"con .txt", ErrDevice},
		{"con..txt", ErrDevice},
		{"NUL", ErrDevice},
		{"nul.", ErrTrailing},
		{"PRN", ErrDevice},
		{"aux.c", ErrDevice},
		{"COM0", ErrDevice},
		{"COM1", ErrDevice},
		{"com9.txt", ErrDevice},
		{"COM¹", ErrDevice},
		{"com².txt", ErrDevice},
		{"LPT³", ErrDevice},
		{"lpt5", ErrDevice},
		{"CONIN$", ErrDevice},
		{"conout$.txt", ErrDevice},
		{"CLOCK$", ErrDevice},

		{".a.part", ErrTemporary},
		{".a.RRRRRRRRRRRR.PART", ErrTemporary},
		{".part", ErrTemporary},

		// Near misses.
		{"CONE", ""},
		{"a.con", ""},
		{".con", ""},
		{" con", ""},
		{"COM", ""},
		{"COM10", ""},
		{"COM⁴", ""},
		{"COMA", ""},
		{"LPT", ""},
		{"nul-1", ""},
		{"CONIN", ""},
	} {
		err := Names{Portable: true, DotFiles: true}.Check(test.name)
		if test.want == "" {
			if err != nil {
				t.Errorf("%q: %v", test.name, err)
			}
			continue
		}
		var nameErr *NameError
		if !errors.Is(err, test.want) || !errors.Is(err, fs.ErrInvalid) || !errors.As(err, &nameErr) {
			t.Errorf("%q: %v, want %v", test.name, err, test.want)
			continue
		}
		if nameErr.Name != test.name {
			t.Errorf("%q: the error is about %q", test.name, nameErr.Name)
		}
	}
}

// TestNames: what Windows reserves is refused only if portable names are wanted; a dot or
// a hyphen at the beginning only if it is not allowed; what misleads a reader always.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		rules Names
		name  string
		want  reason
	}{
		{Names{}, "log-2026-01-02T17:23:28.txt", ""},
		{Names{}, "52:54:00:12:34:56.ipxe", ""},
		{Names{}, "boot.ipxe?mac=1", ""},
		{Names{}, "aux", ""},
		{Names{}, "name.", ""},
		{Names{}, "trailing ", ""},
		{Names{Portable: true}, "aux", ErrDevice},
		{Names{Portable: true}, "a:b", ErrCharacter},
		{Names{Portable: true}, "name.", ErrTrailing},
		{Names{}, ".bashrc", ErrHidden},
		{Names{}, "-rf", ErrHidden},
		{Names{DotFiles: true}, ".bashrc", ""},
		{Names{DotFiles: true}, "-rf", ""},
		{Names{}, ".x.part", ErrTemporary},
		{Names{}, "\u202egpj.exe", ErrInvisible},
		{Names{}, "\u2028x", ErrInvisible},
		{Names{}, "a\u200bb", ErrInvisible},
		{Names{}, "a\u200db", ErrInvisible},
		{Names{}, "\ufeffa", ErrInvisible},
		{Names{}, "a\u2066b", ErrInvisible},
		{Names{}, "a\u00adb", ErrInvisible},
		{Names{}, "\u3164", ErrInvisible},
		{Names{}, "\u200c\u06cc", ErrInvisible},
		{Names{}, "می\u200cخواهم.txt", ""},
		{Names{}, "👩\u200d💻.png", ""},
		{Names{}, "❤\ufe0f.png", ""},
		{Names{}, "שלום.txt", ""},
		{Names{}, "e\u0301.txt", ""},
	} {
		if runtime.GOOS == "windows" && !test.rules.Portable && test.want == "" && reserved(test.name) != "" {
			continue
		}
		if got := test.rules.check(test.name); got != test.want {
			t.Errorf("%+v %q: %q, want %q", test.rules, test.name, got, test.want)
		}
	}
}

func TestDevicePorts(t *testing.T) {
	for _, port := range "0123456789¹²³" {
		for _, name := range []string{"COM", "lpt"} {
			for _, suffix := range []string{"", ".txt"} {
				if err := (Names{Portable: true}).Check(name + string(port) + suffix); !errors.Is(err, ErrDevice) {
					t.Errorf("%s%c%s: %v", name, port, suffix, err)
				}
			}
		}
	}
}

func TestNameErrorText(t *testing.T) {
	// What a terminal would obey is quoted.
	want := `"\x1b[2J": name holds a control character`
	if err := CheckName("\x1b[2J"); err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// A name that CheckName allows makes exactly that file. No other name makes anything
// outside the directory.
func FuzzCheckName(f *testing.F) {
	for _, name := range []string{
		"a", "a/b", "../x", "/x", ".", "..", "con.txt", "COM¹", `a\b`, "a:b", "a.", "a ", "\x00", "\xff",
		strings.Repeat("a", 255), strings.Repeat("é", 128), ".a.part", "-", "日本語",
	} {
		f.Add(name)
	}
	outer := f.TempDir()
	if err := os.Mkdir(outer+"/root", 0o700); err != nil {
		f.Fatal(err)
	}
	root, err := os.OpenRoot(outer + "/root")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { root.Close() })
	f.Fuzz(func(t *testing.T, name string) {
		want := []string{".", "root"}
		file, err := Create(root, name, 0)
		if refused := CheckName(name); refused == nil && err != nil {
			t.Fatalf("Create of an allowed name: %v", err)
		} else if refused != nil {
			if err == nil {
				_ = file.Abort()
			}
			if got := walk(t, outer); !slices.Equal(got, want) {
				t.Errorf("%q made %q", name, got)
			}
			return
		}
		if err == nil {
			if len(file.temp) > maxName || !utf8.ValidString(file.temp) {
				t.Errorf("temporary name %q", file.temp)
			}
			// This is Commit without the syncs, which take most of the time.
			if err := errors.Join(file.file.Close(), file.rename(false)); err != nil {
				t.Fatal(err)
			}
			want = append(want, "root/"+name)
		}
		if got := walk(t, outer); !slices.Equal(got, want) {
			t.Errorf("%q made %q", name, got)
		}
		if err == nil {
			if err := root.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// walk lists a directory and all below it.
func walk(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTempName(t *testing.T) {
	random := strings.Repeat("R", 26)
	for _, test := range []struct{ name, want string }{
		{"a", ".a.RRRRRRRRRRRR.part"},
		{strings.Repeat("a", 255), "." + strings.Repeat("a", 236) + ".RRRRRRRRRRRR.part"},
		{strings.Repeat("a", 236), "." + strings.Repeat("a", 236) + ".RRRRRRRRRRRR.part"},
		// No character is cut in two: 235 bytes are before the one that does not fit.
		{strings.Repeat("a", 235) + "éa", "." + strings.Repeat("a", 235) + ".RRRRRRRRRRRR.part"},
		{strings.Repeat("a", 234) + "日本", "." + strings.Repeat("a", 234) + ".RRRRRRRRRRRR.part"},
		{strings.Repeat("a", 233) + "日本", "." + strings.Repeat("a", 233) + "日.RRRRRRRRRRRR.part"},
	} {
		if got := tempName(test.name, random); got != test.want {
			t.Errorf("%q: %q, want %q", test.name, got, test.want)
		}
	}
}
