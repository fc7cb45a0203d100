package directory

import (
	"io/fs"
	"syscall"
	"time"
)

func versionOf(info fs.FileInfo) version {
	v := version{info: info}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.change, v.dev, v.ino = time.Unix(st.Ctim.Unix()), uint64(st.Dev), st.Ino
	}
	return v
}
