package io.raybatch.examples.demo;

import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/**
 * Reads an edge list as the SNAP collection has them: a line is two node ids, whole numbers with blanks or tabs between them,
 * or a comment that begins with {@code #}. Plain or gzip, whatever the file is called. Nodes are numbered in the order of their
 * ids.
 */
final class EdgeListReader {

    private static final int GZIP_MAGIC = 0x1f8b;
    private static final int SHOWN = 60;

    private EdgeListReader() {}

    static Graph read(Path file) throws BadInputException {
        try (InputStream in = open(file);
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.ISO_8859_1))) {
            GraphBuilder builder = new GraphBuilder();
            long number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                number++;
                parse(file.toString(), number, line.strip(), builder);
            }
            Graph graph = builder.build(file.getFileName().toString());
            if (graph.edges() == 0) {
                throw new BadInputException(file + ": there is no edge in it");
            }
            return graph;
        } catch (NoSuchFileException e) {
            throw new BadInputException(file + ": there is no such file");
        } catch (IOException e) {
            throw new BadInputException(file + ": cannot be read: " + e.getMessage());
        }
    }

    private static InputStream open(Path file) throws IOException {
        BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        try {
            in.mark(2);
            boolean gzip = (in.read() << 8 | in.read()) == GZIP_MAGIC;
            in.reset();
            return gzip ? new GZIPInputStream(in, 1 << 16) : in;
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    private static void parse(String file, long number, String line, GraphBuilder builder) throws BadInputException {
        if (line.isEmpty() || line.charAt(0) == '#') {
            return;
        }
        int gap = 0;
        while (gap < line.length() && !Character.isWhitespace(line.charAt(gap))) {
            gap++;
        }
        long a = id(line.substring(0, gap));
        long b = id(line.substring(gap).strip());
        if (a < 0 || b < 0) {
            String shown = line.length() <= SHOWN ? line : line.substring(0, SHOWN) + "...";
            throw BadInputException.at(file, number, "\"" + shown + "\" is not two node ids, as in \"17 42\"");
        }
        builder.edge(a, b);
    }

    /** -1 for what is no id. */
    private static long id(String text) {
        if (text.isEmpty() || text.chars().anyMatch(c -> c < '0' || c > '9')) {
            return -1;
        }
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException tooLong) {
            return -1;
        }
    }
}
