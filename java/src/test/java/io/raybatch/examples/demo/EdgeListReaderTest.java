package io.raybatch.examples.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EdgeListReaderTest {

    @TempDir
    Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("edges.txt"), text);
    }

    static int[] neighbours(Graph graph, int node) {
        return IntStream.range(graph.from(node), graph.to(node, Integer.MAX_VALUE - graph.from(node))).map(graph::end).toArray();
    }

    @Test
    void directionsDuplicatesAndLoopsAreDropped() throws Exception {
        Graph graph = EdgeListReader.read(file("# comment\n1 2\n2\t1\n\n1  2\r\n3 1\n3 3\n"));
        assertThat(graph.nodes()).isEqualTo(3);
        assertThat(graph.edges()).isEqualTo(2);
        assertThat(neighbours(graph, 0)).containsExactly(1, 2);
        assertThat(neighbours(graph, 2)).containsExactly(0);
    }

    @Test
    void nodesKeepTheOrderOfTheirIdsAndNeighboursAscend() throws Exception {
        Graph graph = EdgeListReader.read(file("9000000000 20\n20 3\n1000 20\n"));
        assertThat(graph.nodes()).isEqualTo(4);
        assertThat(neighbours(graph, 1)).as("of 20: 3, 1000 and 9000000000").containsExactly(0, 2, 3);
    }

    @Test
    void gzipIsToldByItsBytesNotItsName() throws Exception {
        Path file = folder.resolve("plain-name.txt");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write("1 2\n".getBytes(StandardCharsets.US_ASCII));
        }
        assertThat(EdgeListReader.read(file).edges()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "1", "1 two", "1 2 3", "-1 2", "1,2", "1 99999999999999999999", "1.5 2"})
    void aMalformedLineIsNamedByFileAndNumber(String line) throws Exception {
        Path file = file("# comment\n1 2\n" + line + "\n3 4\n");
        assertThatThrownBy(() -> EdgeListReader.read(file))
                .isInstanceOf(BadInputException.class)
                .hasMessageStartingWith(file + ":3: ")
                .hasMessageContaining(line);
    }

    @Test
    void whatIsNoGraphSaysSo() throws Exception {
        Path missing = folder.resolve("missing.txt");
        assertThatThrownBy(() -> EdgeListReader.read(missing)).hasMessage(missing + ": there is no such file");
        Path empty = file("# nothing\n7 7\n");
        assertThatThrownBy(() -> EdgeListReader.read(empty)).hasMessage(empty + ": there is no edge in it");
        assertThatThrownBy(() -> EdgeListReader.read(folder)).isInstanceOf(BadInputException.class);
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(whole)) {
            out.write("1 2\n".repeat(1000).getBytes(StandardCharsets.US_ASCII));
        }
        Path torn = Files.write(folder.resolve("torn.gz"), Arrays.copyOf(whole.toByteArray(), whole.size() / 2));
        assertThatThrownBy(() -> EdgeListReader.read(torn)).hasMessageStartingWith(torn + ": cannot be read");
    }

    private static long pathsOfThreeHops(Graph graph, int start) {
        long before = 0;
        for (int at = graph.from(start); at < graph.to(start, Walk.FANOUT); at++) {
            before += 1 + Math.min(graph.degree(graph.end(at)), Walk.FANOUT);
        }
        return Walk.size(graph, start) - before;
    }

    /** With {@code -Draybatch.egoFacebook=FILE}: SNAP's ego-Facebook, which is not ours to distribute. */
    @Test
    void egoFacebookIsAsSnapCountsIt() throws Exception {
        String file = System.getProperty("raybatch.egoFacebook");
        assumeTrue(file != null, "raybatch.egoFacebook names no file");
        Graph graph = EdgeListReader.read(Path.of(file));
        assertThat(graph.nodes()).isEqualTo(4_039);
        assertThat(graph.edges()).isEqualTo(88_234);
        long[] paths = IntStream.range(0, graph.nodes()).mapToLong(node -> pathsOfThreeHops(graph, node)).sorted().toArray();
        assertThat(paths[paths.length - 1]).isEqualTo(6_273_730);
        assertThat(LongStream.of(paths).average()).hasValueCloseTo(488_026.0, within(1.0));
    }
}
