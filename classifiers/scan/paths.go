package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"sluice/classifiers"
	"sluice/classifiers/extract"
	"sluice/internal/hs"
)

// Options say how files are scanned. The zero value is useful.
type Options struct {
	// Catalog is used when set; else a new one is compiled.
	Catalog *classifiers.Catalog
	// MinConfidence leaves out findings below it.
	MinConfidence classifiers.Confidence
	// Workers is how many files are scanned at once; ≤ 0 means one per CPU.
	Workers int
	// MaxFiles bounds the files taken from directories; 0 means a million.
	MaxFiles int
	// Stdin is read for the path "-"; nil means os.Stdin.
	Stdin io.Reader
	// Documents reads documents and archives in children; nil scans their bytes
	// as they are.
	Documents *extract.Pool
	// Excerpts shows findings where they stand, for WriteText.
	Excerpts bool
	// Each, when set, takes every result once those before it are there, on one
	// goroutine at a time. It may change it. What it has taken is not kept: ScanPaths
	// then gives no results. Its error ends the scan.
	Each func(*FileResult) error
	// Progress, when set, is called after each file, from one goroutine.
	Progress func(done int, path string)
}

// FileResult is what one file was found to hold.
type FileResult struct {
	Path   string
	Result classifiers.Result
	// Excerpts are the surroundings of findings by their index, masked.
	Excerpts map[int]string
	// Action and Rule are what a policy says, where the caller has asked one.
	Action, Rule string
	// Err is why the file could not be read to the end, or nil.
	Err error
}

// Reason gives why the file could not be read, as policies name it; empty where it
// could. Result.Unscannable also says which part of a container it was.
func (r *FileResult) Reason() string {
	reason, _, _ := strings.Cut(r.Result.Unscannable, " (")
	return reason
}

// ErrTooManyFiles is given when directories hold more files than allowed.
var ErrTooManyFiles = errors.New("too many files")

// ScanPaths classifies files, and all regular files below directories, in
// parallel. Results come in the order in which the files were found. Symbolic
// links below directories are not followed. A file that cannot be read has its
// error in its result; the error given is for what stops the whole scan.
func ScanPaths(ctx context.Context, paths []string, o Options) ([]FileResult, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.NumCPU()
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 1e6
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	cat := o.Catalog
	if cat == nil {
		var err error
		if cat, err = classifiers.New(classifiers.Config{}); err != nil {
			return nil, err
		}
		defer cat.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type task struct {
		i    int
		path string
	}
	tasks := make(chan task)
	var mu sync.Mutex
	var out []FileResult
	var finished []bool
	var eachErr error
	done, next := 0, 0
	add := func(path string) error {
		mu.Lock()
		if len(out) >= o.MaxFiles {
			mu.Unlock()
			return fmt.Errorf("%w: more than %d", ErrTooManyFiles, o.MaxFiles)
		}
		out, finished = append(out, FileResult{Path: path}), append(finished, false)
		t := task{len(out) - 1, path}
		mu.Unlock()
		select {
		case tasks <- t:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var wg sync.WaitGroup
	for range o.Workers {
		sc, err := hs.NewScanner()
		if err != nil {
			return nil, err
		}
		defer sc.Close()
		s, err := cat.NewScanner(sc)
		if err != nil {
			return nil, err
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for t := range tasks {
				r := scanFile(ctx, s, t.path, &o)
				mu.Lock()
				out[t.i], finished[t.i] = r, true
				done++
				for ; o.Each != nil && next < len(out) && finished[next]; next++ {
					if eachErr == nil {
						if eachErr = o.Each(&out[next]); eachErr != nil {
							cancel()
						}
					}
					out[next] = FileResult{}
				}
				if o.Progress != nil {
					o.Progress(done, t.path)
				}
				mu.Unlock()
			}
		}()
	}
	err := walk(paths, add)
	close(tasks)
	wg.Wait()
	if eachErr != nil {
		return nil, eachErr
	}
	if o.Each != nil {
		out = nil
	}
	return out, err
}

// walk gives every file meant by paths. What cannot be opened is given too: its
// error shows when it is read.
func walk(paths []string, add func(string) error) error {
	for _, p := range paths {
		info, err := os.Stat(p)
		if p == "-" || err != nil || !info.IsDir() {
			if err := add(p); err != nil {
				return err
			}
			continue
		}
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if path == p || d == nil {
					return err
				}
				return add(path)
			}
			if d.Type().IsRegular() {
				return add(path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func scanFile(ctx context.Context, s *classifiers.Scanner, path string, o *Options) (r FileResult) {
	r.Path = path
	meta := classifiers.ObjectMeta{Name: filepath.Base(path), MinConfidence: o.MinConfidence}
	if path == "-" {
		r.Result, r.Err = readStream(ctx, s, o.Documents, o.Stdin, meta)
		return r
	}
	f, err := os.Open(path)
	if err != nil {
		r.Result.Unscannable, r.Err = "read-error", err
		return r
	}
	defer f.Close()
	if o.Documents != nil {
		var ok bool
		if r.Result, ok, r.Err = readDocument(ctx, s, o.Documents, f, meta); ok {
			return r
		}
	}
	typ := r.Result.Type
	r.Result, r.Err = s.ScanReader(f, meta)
	if typ != "" {
		r.Result.Type = typ
	}
	if r.Err == nil && o.Excerpts {
		r.Excerpts = excerpts(s, f, r.Result.Findings)
	}
	return r
}
