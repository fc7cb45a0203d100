//go:build !unix

package ferry

import "testing"

func mkfifo(t *testing.T, name string) { t.Skip("no named pipes") }
