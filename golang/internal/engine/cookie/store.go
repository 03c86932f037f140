package cookie

import (
	"slices"
	"strings"
	"time"
)

// store is the storage model of section 5.7 from step 12 on: leave secure
// cookies alone, replace the cookie of the same name, domain and path, make
// room. It reports whether the jar now has the cookie.
func (j *Jar) store(e *entry, secure bool, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !secure && j.overlaysSecure(e) {
		return false
	}
	j.created++
	e.order, e.used = j.created, now
	siblings := j.domains[e.Domain]
	same := slices.IndexFunc(siblings, func(old *entry) bool {
		return old.Name == e.Name && old.Path == e.Path && old.HostOnly == e.HostOnly
	})
	if same >= 0 {
		e.order = siblings[same].order // step 24: the creation time stays
		siblings = j.drop(e.Domain, same)
	}
	if e.expired(now) {
		return false
	}
	j.domains[e.Domain] = append(siblings, e)
	j.count.Add(1)
	j.makeRoom(e.Domain, now)
	return true
}

// overlaysSecure: a cookie from a connection in the clear must not stand in for,
// or push out of the way, one that was set over a secure one.
func (j *Jar) overlaysSecure(e *entry) bool {
	for domain, entries := range j.domains {
		if !within(domain, e.Domain) && !within(e.Domain, domain) {
			continue
		}
		for _, old := range entries {
			if old.Secure && old.Name == e.Name && pathMatch(e.Path, old.Path) {
				return true
			}
		}
	}
	return false
}

// within reports whether host is domain or beneath it (section 5.1.3).
func within(host, domain string) bool {
	parent, found := strings.CutSuffix(host, domain)
	return found && (parent == "" || parent[len(parent)-1] == '.')
}

// makeRoom keeps the limits: expired cookies go first, then in a domain that is
// full those without Secure, then whoever was used longest ago. No server can
// fill the domain "".
func (j *Jar) makeRoom(domain string, now time.Time) {
	expired := func(e *entry) bool { return e.expired(now) }
	if domain != "" && len(j.domains[domain]) > maxPerDomain {
		j.removeFrom(domain, expired)
		for len(j.domains[domain]) > maxPerDomain {
			j.drop(domain, leastUseful(j.domains[domain]))
		}
	}
	if j.count.Load() > maxTotal {
		j.remove(expired)
		for j.count.Load() > maxTotal {
			j.dropOldest()
		}
	}
}

func leastUseful(entries []*entry) int {
	worst := 0
	for i, e := range entries {
		w := entries[worst]
		if e.Secure != w.Secure && w.Secure || e.Secure == w.Secure && e.olderThan(w) {
			worst = i
		}
	}
	return worst
}

func (e *entry) olderThan(other *entry) bool {
	if !e.used.Equal(other.used) {
		return e.used.Before(other.used)
	}
	return e.order < other.order
}

func (j *Jar) dropOldest() {
	var domain string
	index := -1
	for candidate, entries := range j.domains {
		for i, e := range entries {
			if index < 0 || e.olderThan(j.domains[domain][index]) {
				domain, index = candidate, i
			}
		}
	}
	j.drop(domain, index)
}

// drop forgets one cookie and returns those that are left of its domain.
func (j *Jar) drop(domain string, index int) []*entry {
	rest := slices.Delete(j.domains[domain], index, index+1)
	j.count.Add(-1)
	j.keep(domain, rest)
	return rest
}

func (j *Jar) remove(match func(*entry) bool) {
	for domain := range j.domains {
		j.removeFrom(domain, match)
	}
}

func (j *Jar) removeFrom(domain string, match func(*entry) bool) {
	entries := j.domains[domain]
	rest := slices.DeleteFunc(entries, match)
	j.count.Add(int64(len(rest) - len(entries)))
	j.keep(domain, rest)
}

func (j *Jar) keep(domain string, entries []*entry) {
	if len(entries) == 0 {
		delete(j.domains, domain)
	} else {
		j.domains[domain] = entries
	}
}
