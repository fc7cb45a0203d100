package datagram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestErrorClasses(t *testing.T) {
	for _, test := range []struct {
		err            error
		fatal, tooLong bool
	}{
		{nil, false, false},
		{net.ErrClosed, true, false},
		{&net.OpError{Op: "read", Err: net.ErrClosed}, true, false},
		{fmt.Errorf("lossy: %w", net.ErrClosed), true, false},
		{os.ErrClosed, true, false},
		{io.ErrClosedPipe, true, false},
		{io.EOF, true, false},
		{syscall.EBADF, true, false},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("sendto", syscall.EPIPE)}, true, false},
		{syscall.ENOTSOCK, true, false},

		{os.ErrDeadlineExceeded, false, false},
		{context.Canceled, false, false},
		{context.DeadlineExceeded, false, false},
		{errors.New("something else"), false, false},
		{syscall.ENETUNREACH, false, false},
		{syscall.EPERM, false, false},
		{syscall.EINVAL, false, false},
		{errNoAddr, false, false},
		{net.ErrWriteToConnected, false, false},

		{syscall.EMSGSIZE, false, true},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("sendmmsg", syscall.EMSGSIZE)}, false, true},
		{fmt.Errorf("lossy: %w", syscall.EMSGSIZE), false, true},
	} {
		if got := Fatal(test.err); got != test.fatal {
			t.Errorf("Fatal(%v) = %v", test.err, got)
		}
		if got := TooLong(test.err); got != test.tooLong {
			t.Errorf("TooLong(%v) = %v", test.err, got)
		}
	}
}
