package wholefile

import (
	"io/fs"
	"os"
	"runtime"
	"testing"
)

// TestResumeMode: the file has the mode that the last one asked for, and until then its
// owner can open it again, whatever that is.
func TestResumeMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	for _, tt := range []struct {
		first, last, want fs.FileMode
	}{
		{0o444, 0o444, 0o644},
		{0o200, 0o200, 0o600},
		{0o600, 0o600, 0o600},
		{0o644, 0o600, 0o600},
		{0o755, 0o500, 0o700},
	} {
		root := openRoot(t)
		f, _, err := ResumeTagged(root, "a", "tag", tt.first)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := root.Stat(f.temp); err != nil || info.Mode()&0o600 != 0o600 {
			t.Errorf("%o: the temporary file has mode %v, %v", tt.first, info.Mode(), err)
		}
		if err := f.Keep(); err != nil {
			t.Fatal(err)
		}
		if f, _, err = ResumeTagged(root, "a", "tag", tt.last); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(false); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(root.Name() + "/a"); err != nil || info.Mode() != tt.want {
			t.Errorf("%o, then %o: mode %v, %v", tt.first, tt.last, info.Mode(), err)
		}
	}
}
