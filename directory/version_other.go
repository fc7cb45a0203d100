//go:build !linux && !darwin

package directory

import "io/fs"

func versionOf(info fs.FileInfo) version { return version{info: info} }
