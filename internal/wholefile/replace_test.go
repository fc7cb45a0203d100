package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// TestCheckTaken: only a file is ever replaced.
func TestCheckTaken(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(root.Mkdir("dir", 0o755), root.Symlink("nowhere", "link"), root.WriteFile("dir/file", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		replace bool
		free    bool
	}{
		{"new", false, true},
		{"new", true, true},
		{"no/new", true, true}, // not taken, at least
		{"dir/file", false, false},
		{"dir/file", true, true},
		{"dir", true, false},
		{"link", false, false},
		{"link", true, false},
	} {
		err := CheckTaken(root, tt.name, tt.replace)
		if (err == nil) != tt.free || err != nil && !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s, to be replaced: %v: %v", tt.name, tt.replace, err)
		}
	}
}
