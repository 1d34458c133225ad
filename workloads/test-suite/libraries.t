#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tests of libraries that come with Perl, on random data: libraries.t CASES SEED. Each case is one test of each
# library, on as much data as any other case. The output is TAP (Test::More would take longer to load than the tests to run).
use strict;
use warnings;
use Digest::SHA;
use JSON::PP;
use List::Util qw(reduce shuffle sum);
use MIME::Base64 qw(decode_base64 encode_base64);
use Text::ParseWords qw(shellwords);
use Time::Local qw(timegm_nocheck);

my ($cases, $seed) = @ARGV;
die "usage: libraries.t CASES SEED\n" unless defined $seed && $cases =~ /^[1-9]\d*$/;
srand $seed;
my $tests = 0;
my $json = JSON::PP->new->canonical;

sub ok {
	my ($passed, $name) = @_;

	printf "%s %d - %s\n", $passed ? 'ok' : 'not ok', ++$tests, $name;
	exit 1 unless $passed;
}

sub word {
	return join '', map { chr 97 + int rand 26 } 1 .. 8;
}

for (1 .. $cases) {
	my @words = map { word() } 1 .. 24;
	my @numbers = map { 10000 + int rand 90000 } 1 .. 24;
	my %record = (names => \@words, sizes => [@numbers], nested => { map { ("key$_" => $words[$_]) } 0 .. 11 });
	my $text = $json->encode(\%record);
	ok($json->encode($json->decode($text)) eq $text, 'JSON::PP: what is decoded encodes to the same text');

	my $bytes = pack 'N*', @numbers;
	ok(decode_base64(encode_base64($bytes)) eq $bytes, 'MIME::Base64: decodes what it encodes');

	my $sha = Digest::SHA->new(256);
	$sha->add($_) for @words;
	ok($sha->hexdigest eq Digest::SHA::sha256_hex(join '', @words), 'Digest::SHA: pieces give the sum of the whole');

	my @quoted = map { $_ % 2 ? qq("$words[$_] $words[$_]") : $words[$_] } 0 .. $#words;
	ok(shellwords(join ' ', @quoted) == @words, 'Text::ParseWords: a quoted string is one word');

	my $total = reduce { $a + $b } shuffle @numbers;
	ok($total == sum(@numbers), 'List::Util: the order of a sum does not matter');

	my $time = 1e9 + int rand 1e8;
	ok(timegm_nocheck(gmtime $time) == $time, 'Time::Local: the inverse of gmtime');
}
print "1..$tests\n";
