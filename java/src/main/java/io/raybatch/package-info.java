/**
 * An object store whose objects live as long as their batch. Start with {@link io.raybatch.RayApi}, or with
 * {@link io.raybatch.Ray} for one store per process.
 */
package io.raybatch;
