// Package bench races ferry against other Go libraries that do the same job.
//
// It holds tests and benchmarks only, in a separate module outside go.work, so that
// importers of ferry do not require the rivals. README.md says how to run them.
package bench
