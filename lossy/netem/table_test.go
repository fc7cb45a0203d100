package netem

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadTable(t *testing.T) {
	got, err := readTable(strings.NewReader("# a comment 5\n 8192 -4096\n\n0 # and one\n16384"))
	if err != nil || fmt.Sprint(got) != "[1 -0.5 0 2]" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "# nothing", "1 2 x", "NaN", "1 Inf", "1,2"} {
		if got, err := readTable(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
	want := errors.New("broken")
	if _, err := readTable(iotest.ErrReader(want)); !errors.Is(err, want) {
		t.Errorf("a reader that fails: %v", err)
	}
}
